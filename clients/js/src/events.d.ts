// Over 600 lines: written by `cargo xtask contract` from the types that the server serialises: do not edit it.

/**
 * An event as a plain connection is told it: `type` is its name. With `?since` it bears the place behind it,
 * `cursor`.
 */
export type Frame<Type extends string, Payload> = { type: Type } & Payload & { cursor?: string };

/** The same of an event whose payload is no object, or has a `type` of its own. */
export type NestedFrame<Type extends string, Payload> = { type: Type; data: Payload; cursor?: string };

/** What is told beside events, as a plain connection is told it. */
export type Said<Type extends string, Payload> = { type: Type } & Payload;

/** What may answer a request: where that had an `id`, it has it too. */
export type Answering<Payload> = Payload & { id?: string | number };

/** The same as a plain connection is told it. */
export type Answer<Type extends string, Payload> = Frame<Type, Answering<Payload>>;

/** The state of an entity was set, changed or taken away. */
export interface StateChanged {
  /** Of which entity. */
  entity_id: string;
  /** Its newest state from now on; `null`: it has none any more. */
  new_state: NewState | null;
}

/** What an entity is. */
export interface NewState {
  /** Its state. */
  state: string;
  /** Its attributes. */
  attributes: { [key: string]: unknown };
}

/** What is known now of the entities that were asked for. */
export interface StatesSnapshot {
  /** The newest row of each. */
  data: State[];
}

/** A row, as replies and snapshots show it. */
export interface State {
  /** Its id. */
  state_id: number;
  /** Of which entity. */
  entity_id: string;
  /** Its state. */
  state: string;
  /** Its attributes. */
  attributes: { [key: string]: unknown };
  /** When the entity's state last became another; whole seconds, `Z`. */
  last_changed: string;
  /** When the row last changed in any way; whole seconds, `Z`. */
  last_updated: string;
}

/** A refusal. */
export interface Refused {
  /** Always `false`. */
  success: boolean;
  /** Why, for people: the words may change. */
  error: string;
}

/** An area, and what happened to it. */
export interface AreaChanged {
  /** Which area. */
  areaId: string;
  /** What people call it. */
  name: string;
  /** What is in it. */
  entityIds: string[];
  /** Whether its clients may read what is in it. */
  isEnabled: boolean;
  /** What happened, for people. */
  message: string;
  /** When, RFC 3339 with milliseconds. */
  timestamp: string;
}

/** A paired client. */
export interface PairedClient {
  /** Its id. */
  id: string;
  /** What people call it. */
  name: string;
  /** The areas that it has, by id. */
  areaIds: string[];
  /** Whether it is connected. */
  online: boolean;
  /** When it came or went last, RFC 3339 with milliseconds; `null`: never. */
  lastSeen: string | null;
  /** Whether its access was revoked. */
  revoked: boolean;
}

/** A client was taken away. */
export interface ClientRemoved {
  /** Which client. */
  id: string;
}

/** Clients came or went. */
export interface ClientsPresent {
  /** Which, and whether they are here. */
  clients: ClientPresent[];
}

/** A client that came or went. */
export interface ClientPresent {
  /** Which client. */
  id: string;
  /** Whether it is connected. */
  online: boolean;
  /** When it came or went last, RFC 3339 with milliseconds; `null`: never. */
  lastSeen: string | null;
}

/** A screen waits to be paired, or was approved or denied. */
export interface PairingChanged {
  /** What the screen shows. */
  userCode: string;
  /** What it calls itself. */
  name: string;
  /** Which client it is, if it is one already. */
  clientId: string | null;
  /** When it asked, RFC 3339 with milliseconds. */
  createdAt: string;
  /** Until when it waits, the same. */
  expiresAt: string;
  /** What became of it. */
  status: 'pending' | 'approved' | 'denied';
}

/** The first that a paired client is told. */
export interface Connected {
  /** Which client it is. */
  clientId: string;
  /** What happened, for people. */
  message: string;
  /** What it can rely on. */
  features: string[];
  /** When, RFC 3339 with milliseconds. */
  timestamp: string;
}

/** An admin ended this client's access: it is told nothing after this. */
export interface TokenRevoked {
  /** What happened, for people. */
  message: string;
}

/** This screen is a client from now on, with this token. */
export interface PairingCompleted {
  /** Its token, which is signed as it is handed out. */
  token: string;
  /** What it is called from now on. */
  clientId: string;
  /** The areas that it has. */
  assignedAreas: string[];
}

/** A refusal, with a code, that says when it was. */
export interface RefusedAt {
  /** Why, for people: the words may change. */
  error: string;
  /** Why, for programs. */
  code: string;
  /** When, RFC 3339 with milliseconds. */
  timestamp: string;
}

/** There is something that this user should know. */
export interface NotificationTold {
  /** What it is, in a few words. */
  title: string;
  /** What happened, in a sentence. */
  message: string;
  /**
   * How much it matters.
   * - `info`: It is good to know.
   * - `success`: Something went well.
   * - `warning`: Something should be looked at.
   * - `error`: Something went wrong.
   */
  level: 'info' | 'success' | 'warning' | 'error';
  /** When, UTC, without zone and fraction. */
  timestamp: string;
}

/** A battery was booked for this user. */
export interface BookingConfirmed {
  /** Which booking. */
  booking_id: number;
  /** What the station is called. */
  station_name: string;
  /** Which battery it is, e.g. `Tesla Battery - Model 3`. */
  battery_info: string;
  /** What happened, for people. */
  message: string;
  /** When, UTC, without zone and fraction. */
  timestamp: string;
}

/** The battery that this user booked can be collected. */
export interface BookingReady {
  /** Which booking. */
  booking_id: number;
  /** What the station is called. */
  station_name: string;
  /** What happened, for people. */
  message: string;
  /** When, UTC, without zone and fraction. */
  timestamp: string;
}

/** The first that a connection to notifications is told. */
export interface ConnectedToNotifications {
  /** To what, for people. */
  message: string;
}

/** A refusal, in words alone. */
export interface RefusedInWords {
  /** Why, for people: the words may change. */
  message: string;
}

/** A reading of a sensor, or what the readings of an interval came to. */
export interface SensorDataUpdate {
  /** Of which sensor. */
  sensor_id: number;
  /** What it measures, e.g. `temperature`. */
  sensor_type: string;
  /** The device that carries it. */
  device_id: number;
  /** What people call that. */
  device_name: string;
  /** The value; of an interval, its aggregate. */
  value: number;
  /** In what it is measured, e.g. `celsius`; may be empty. */
  unit: string;
  /** When it was measured, RFC 3339 in UTC; of an interval, when that began. */
  timestamp: string;
  /** The least value of the interval; only with `agg=minmax`. */
  min?: number;
  /** The greatest value of the interval; only with `agg=minmax`. */
  max?: number;
}

/** A device is heard again, or not any more. */
export interface DeviceStatus {
  /** Which device. */
  device_id: number;
  /** What people call it. */
  device_name: string;
  /**
   * Whether it is heard.
   * - `active`: It is.
   * - `inactive`: All of its sensors have been silent for their time.
   */
  status: 'active' | 'inactive';
  /** Since when, RFC 3339 in UTC. */
  timestamp: string;
}

/** The value of a sensor passed a threshold, or is back. */
export interface SensorAlarm {
  /** Of which sensor. */
  sensor_id: number;
  /** What it measures. */
  sensor_type: string;
  /** The device that carries it. */
  device_id: number;
  /** What people call that. */
  device_name: string;
  /** Where the value is; `normal` ends the alarm. */
  state: 'above' | 'below' | 'normal';
  /** The value. */
  value: number;
  /** The threshold that it passed, or that it is back from. */
  threshold: number | null;
  /** In what it is measured. */
  unit: string;
  /** When it was measured, RFC 3339 in UTC. */
  timestamp: string;
}

/** What is known now of devices and sensors. */
export interface SensorsSnapshot {
  /** Devices, and what they are. */
  devices: DeviceStatus[];
  /** The newest reading of each sensor that has one. */
  data: SensorDataUpdate[];
  /** The alarms that are raised. */
  alarms: SensorAlarm[];
}

/** A refusal, with a code. */
export interface RefusedWithCode {
  /** Why, for people: the words may change. */
  message: string;
  /** Why, for programs. */
  code: string;
}

/** Somebody is online, or not any more. */
export interface NewOnlineUser {
  /** Whether they came or went. */
  type: 'Add' | 'Remove';
  /** Who. */
  userID: string;
}

/** Something was said in a room, for those who are in it. */
export interface MessageRoom {
  /** What was said. */
  message: string;
  /** Who said it. */
  from: string;
  /** The label of the room. */
  roomID: string;
  /** The name of who said it. */
  fromUsername: string;
  /** When. */
  date: DayAndTime;
}

/** A day and a time of it, as people are shown them. */
export interface DayAndTime {
  /** The day of the month, from 1. */
  day: number;
  /** The month, from 1. */
  month: number;
  /** The year. */
  year: number;
  /** `HH:MM`. */
  time: string;
}

/** Something was said in a room, as a list of rooms shows it, for members who are not in it. */
export interface MessagePage {
  /** The label of the room. */
  roomID: string;
  /** What was said. */
  lastMessage: string;
}

/** Somebody wrote to a houseworker for the first time. */
export interface FirstMessageConversation {
  /** The label of the room. */
  roomID: string;
  /** Who wrote. */
  from: string;
  /** Their name. */
  fromUsername: string;
  /** What was said. */
  lastMessage: string;
}

/** Something was said to this user: by this, unread messages are counted. */
export interface MessageResponseNotify {
  /** The label of the room. */
  roomID: string;
  /** The name of who said it. */
  fromUsername: string;
  /** Who said it. */
  fromUserID: string;
  /** Who is told. */
  userID: string;
  /** What was said. */
  lastMessage: string;
  /** Whether there is one unread message more. */
  unreadUpdateStatus: boolean;
  /** What stands in the inbox besides, if its sender wanted that. */
  createRoomNotification: Notified | null;
}

/** A notification, as chat tells it. */
export interface Notified {
  /** Its id. */
  id: number;
  /** Who caused it. */
  from: string;
  /** Whose it is; of a room that was deleted, `room`. */
  to: string;
  /** What it is about. */
  type: string;
  /** When it was made. */
  date: DayAndTime;
  /** What happened. */
  message: string;
  /** Whether its recipient has seen it. */
  read: boolean;
  /** The label of the room that was deleted; absent of all others. */
  roomID?: string;
}

/** Who types, and where. */
export interface TypingMessage {
  /** Who. */
  senderID: string;
  /** Their name. */
  senderUsername: string;
  /** The label of the room. */
  roomID: string;
}

/** Who came into a room, and what it is called by that, as a list of rooms shows it. */
export interface UserToGroupChange {
  /** Who came. */
  newUserID: string;
  /** Their name. */
  newUsername: string;
  /** The label of the room before. */
  roomID: string;
  /** The label of the group from now on. */
  newRoomID: string;
  /** Who was there before, but for who let them in, by id. */
  currentMember: Member[];
  /** The name of who let them in. */
  clientUsername: string;
  /** Where the picture of who came is; empty if there is none. */
  newUserPicturePath: string;
  /** Whether who came is online. */
  online: boolean;
}

/** A user, as others see them. */
export interface Member {
  /** The id. */
  userID: string;
  /** The name; empty of who is no user any more. */
  username: string;
}

/** The label that the room of this connection has from now on, as somebody was added. */
export type AddUserToGroupChangeInRoom = string;

/** This user was kicked from a group. */
export interface KickUserFromGroupNotify {
  /** The label of the group before. */
  roomID: string;
  /** Its label from now on. */
  newRoomID: string;
  /** Who was kicked. */
  kickedUserID: string;
  /** What stands in their inbox. */
  notification: Notified;
}

/** Somebody was kicked from a group, left it or was deleted, as a list of rooms shows it. */
export interface KickUserFromGroupChange {
  /** The label of the group before. */
  roomID: string;
  /** Its label from now on. */
  newRoomID: string;
  /** The name of who is gone. */
  kickedUsername: string;
  /** Who is gone. */
  kickedUserID: string;
}

/** Somebody is no member of the room of this connection any more. */
export interface KickUserFromGroupChangeInRoom {
  /** The label of the private room that the group grew from; empty if it grew from none. */
  firstRoomID: string;
  /** Who is gone. */
  kickedUserID: string;
  /** The label of the room from now on. */
  newRoomID: string;
}

/** A group was deleted, as a list of rooms shows it. */
export interface DeleteUserRoomChange {
  /** Its label. */
  roomID: string;
}

/** Somebody said something of this houseworker. */
export interface PrivateCommentNotify {
  /** What they said. */
  newComment: HouseworkerComment;
  /** What stands in the houseworker's inbox. */
  notificationObj: Notified;
}

/** What somebody said of a houseworker. */
export interface HouseworkerComment {
  /** Its id. */
  commentID: number;
  /** What it says. */
  comment: string;
  /** The name of who said it. */
  from: string;
  /** Whom it is about. */
  houseworkerID: string;
  /** The day, `DD.MM.YYYY`. */
  date: string;
  /** Whether whom it is about has seen it. */
  read: boolean;
}

/** Somebody rated this houseworker. */
export interface PrivateRatingNotify {
  /** The name of who did. */
  client: string;
  /** The name of the houseworker. */
  houseworker: string;
  /** How good they are. */
  rating: number;
  /** The houseworker. */
  houseworkerID: string;
  /** What stands in their inbox. */
  notification: Notified;
}

/** What a station has is different now. */
export interface InventoryUpdate {
  /** Which station. */
  station_id: number;
  /** What people call it. */
  station_name: string;
  /** How many batteries can be booked there now. */
  available_batteries: number;
  /** How many are held there now. */
  booked_batteries: number;
  /** How many there are: those and these. */
  total_batteries: number;
  /** When, UTC, without zone and fraction. */
  timestamp: string;
  /**
   * What changed.
   * - `update`: Something else than the others.
   * - `add`: A battery came.
   * - `book`: A battery was booked.
   * - `collect`: A battery was collected.
   */
  action: 'update' | 'add' | 'book' | 'collect';
}

/** A battery was booked. */
export interface BatteryBooked {
  /** Which station. */
  station_id: number;
  /** What people call it. */
  station_name: string;
  /** Which battery. */
  battery_id: number;
  /** How many batteries can be booked there now. */
  available_batteries: number;
  /** How many are held there now. */
  booked_batteries: number;
  /** Who booked it: staff are told the whole e-mail address, others its beginning and its domain. */
  user: string;
  /** When, UTC, without zone and fraction. */
  timestamp: string;
}

/** A booked battery was collected: it is in no station any more. */
export interface BatteryCollected {
  /** Which station. */
  station_id: number;
  /** What people call it. */
  station_name: string;
  /** Which battery. */
  battery_id: number;
  /** How many batteries can be booked there now. */
  available_batteries: number;
  /** How many are held there now. */
  booked_batteries: number;
  /** When, UTC, without zone and fraction. */
  timestamp: string;
}

/** A battery came to a station. */
export interface BatteryAdded {
  /** Which station. */
  station_id: number;
  /** What people call it. */
  station_name: string;
  /** Which battery. */
  battery_id: number;
  /** How many batteries can be booked there now. */
  available_batteries: number;
  /** How many there are: those and these. */
  total_batteries: number;
  /** When, UTC, without zone and fraction. */
  timestamp: string;
}

/** A station works, or does not any more. */
export interface StationStatus {
  /** Which station. */
  station_id: number;
  /** What people call it. */
  station_name: string;
  /**
   * Whether the station works.
   * - `online`: It does: only now batteries are booked there.
   * - `offline`: It does not.
   * - `maintenance`: Somebody works on it.
   */
  status: 'online' | 'offline' | 'maintenance';
  /** The same, for people. */
  message: string;
  /** When, UTC, without zone and fraction. */
  timestamp: string;
}

/** The first that a connection to stations is told. */
export interface ConnectedToStations {
  /** To what, for people. */
  message: string;
  /** To which station; `null`: to all. */
  station_id: number | null;
}

/** What stations are now. */
export interface StationsSnapshot {
  /** All of them by number, or the one whose stream this is. */
  data: Station[];
}

/** A station. */
export interface Station {
  /** Its number. */
  id: number;
  /** What people call it. */
  name: string;
  /**
   * Whether it works.
   * - `online`: It does: only now batteries are booked there.
   * - `offline`: It does not.
   * - `maintenance`: Somebody works on it.
   */
  status: 'online' | 'offline' | 'maintenance';
  /** How many batteries can be booked. */
  available_batteries: number;
  /** How many are held. */
  booked_batteries: number;
  /** How many there are: those and these. */
  total_batteries: number;
}

/** A connection goes on behind its cursor. What it missed follows, each with a cursor of its own. */
export interface Resumed {
  /** The place before what follows. */
  cursor: string;
  /** How many events it missed. */
  replayed: number;
}

/** A connection cannot go on behind its cursor: it begins anew, and what it knows may be old. */
export interface Reset {
  /**
   * Why: the place is older than what is kept, or of a future or another life of the database, or too much was
   * missed, or it is no cursor.
   */
  reason: 'expired' | 'future' | 'epoch' | 'limited' | 'invalid';
  /** The place from which on it is live. */
  cursor: string;
}

/** The answer to `ping`. */
export interface Pong {
  /** That of the ping, as it was written; absent if it had none. */
  timestamp?: string | number;
}

/** Several events at once, in their order, where a client asked for that by `batch`. */
export interface Batch {
  /** The events, each as it is told alone. */
  events: AnyEvent[];
}

/** The answer to a call. */
export interface Reply {
  /** Whether it was done. */
  success: boolean;
  /** What the call replies with. Some calls reply with keys of their own instead. */
  data?: unknown;
  /** Why it was not done, for people. */
  error?: string;
  [key: string]: unknown;
}

/** Every event by its name, as a plain connection is told it. */
export interface Events {
  /** The state of an entity was set, changed or taken away. */
  state_changed: NestedFrame<'state_changed', StateChanged>;
  /** An area was made, or this client got it. */
  area_added: Frame<'area_added', AreaChanged>;
  /** An area was deleted, or this client has it no more. */
  area_removed: Frame<'area_removed', AreaChanged>;
  /** An area was changed. */
  area_updated: Frame<'area_updated', AreaChanged>;
  /** An area was enabled: its clients may read what is in it. */
  area_enabled: Frame<'area_enabled', AreaChanged>;
  /** An area was disabled: its clients may not read what is in it. */
  area_disabled: Frame<'area_disabled', AreaChanged>;
  /** A client was made, paired anew, renamed or revoked, or it got or lost an area. */
  client_changed: Frame<'client_changed', PairedClient>;
  /** A client was taken away. */
  client_removed: Frame<'client_removed', ClientRemoved>;
  /** Clients came or went. */
  clients_present: Frame<'clients_present', ClientsPresent>;
  /** A screen waits to be paired, or was approved or denied. */
  pairing_changed: Frame<'pairing_changed', PairingChanged>;
  /** There is something that this user should know. */
  notification: Frame<'notification', NotificationTold>;
  /** A battery was booked for this user. */
  booking_confirmed: Frame<'booking_confirmed', BookingConfirmed>;
  /** The battery that this user booked can be collected. */
  booking_ready: Frame<'booking_ready', BookingReady>;
  /** A reading of a sensor, or what the readings of an interval came to. */
  sensor_data_update: Frame<'sensor_data_update', SensorDataUpdate>;
  /** A device is heard again, or not any more. */
  device_status: Frame<'device_status', DeviceStatus>;
  /** The value of a sensor passed a threshold, or is back. */
  sensor_alarm: Frame<'sensor_alarm', SensorAlarm>;
  /** Somebody is online, or not any more. */
  newOnlineUser: NestedFrame<'newOnlineUser', NewOnlineUser>;
  /** Something was said in a room, for those who are in it. */
  messageRoom: Frame<'messageRoom', MessageRoom>;
  /** Something was said in a room, as a list of rooms shows it, for members who are not in it. */
  messagePage: Frame<'messagePage', MessagePage>;
  /** Somebody wrote to a houseworker for the first time. */
  firstMessageConversation: Frame<'firstMessageConversation', FirstMessageConversation>;
  /** Something was said to this user: by this, unread messages are counted. */
  messageResponseNotify: Frame<'messageResponseNotify', MessageResponseNotify>;
  /** Somebody types in the room. */
  typingMessageStart: Frame<'typingMessageStart', TypingMessage>;
  /** Somebody does not type any more. */
  typingMessageStop: Frame<'typingMessageStop', TypingMessage>;
  /** A group was made that this user is in. */
  createUserToGroupNotify: NestedFrame<'createUserToGroupNotify', Notified>;
  /** A group was made, as a list of rooms shows it. */
  createUserGroupChange: Frame<'createUserGroupChange', UserToGroupChange>;
  /** Somebody was added to a group of this user, or they were. */
  addUserToGroupNotify: NestedFrame<'addUserToGroupNotify', Notified>;
  /** Somebody was added to a group, as a list of rooms shows it. */
  addUserToGroupChange: Frame<'addUserToGroupChange', UserToGroupChange>;
  /** The label that the room of this connection has from now on, as somebody was added. */
  addUserToGroupChangeInRoom: NestedFrame<'addUserToGroupChangeInRoom', AddUserToGroupChangeInRoom>;
  /** This user was kicked from a group. */
  kickUserFromGroupNotify: Frame<'kickUserFromGroupNotify', KickUserFromGroupNotify>;
  /** Somebody was kicked from a group, left it or was deleted, as a list of rooms shows it. */
  kickUserFromGroupChange: Frame<'kickUserFromGroupChange', KickUserFromGroupChange>;
  /** Somebody is no member of the room of this connection any more. */
  kickUserFromGroupChangeInRoom: Frame<'kickUserFromGroupChangeInRoom', KickUserFromGroupChangeInRoom>;
  /** A group of this user was deleted. */
  deleteUserRoomNotify: NestedFrame<'deleteUserRoomNotify', Notified>;
  /** A group was deleted, as a list of rooms shows it. */
  deleteUserRoomChange: Frame<'deleteUserRoomChange', DeleteUserRoomChange>;
  /** Somebody said something of this houseworker. */
  privateCommentNotify: Frame<'privateCommentNotify', PrivateCommentNotify>;
  /** Somebody said something of this houseworker, as a list of comments shows it. */
  newCommentChange: Frame<'newCommentChange', HouseworkerComment>;
  /** Somebody rated this houseworker. */
  [name: `privateRatingNotify-${number}`]: Frame<`privateRatingNotify-${number}`, PrivateRatingNotify>;
  /** What a station has is different now. */
  inventory_update: Frame<'inventory_update', InventoryUpdate>;
  /** A battery was booked. */
  battery_booked: Frame<'battery_booked', BatteryBooked>;
  /** A booked battery was collected: it is in no station any more. */
  battery_collected: Frame<'battery_collected', BatteryCollected>;
  /** A battery came to a station. */
  battery_added: Frame<'battery_added', BatteryAdded>;
  /** A station works, or does not any more. */
  station_status: Frame<'station_status', StationStatus>;
}

/** All that a plain connection is told, by its `type`. */
export interface Messages extends Events {
  /** What is known now of the entities that were asked for. */
  'states:snapshot': Answer<'states:snapshot', StatesSnapshot>;
  /**
   * A refusal. Or: A refusal, with a code, that says when it was. Or: A refusal, in words alone. Or: A refusal, with a
   * code.
   */
  error: Answer<'error', Refused | RefusedAt | RefusedInWords | RefusedWithCode>;
  /** The first that a paired client is told. */
  connected: Said<'connected', Connected>;
  /** An admin ended this client's access: it is told nothing after this. */
  token_revoked: Said<'token_revoked', TokenRevoked>;
  /** This screen is a client from now on, with this token. */
  pairing_completed: Said<'pairing_completed', PairingCompleted>;
  /** The first that a connection to notifications is told. Or: The first that a connection to stations is told. */
  connection_established: Said<'connection_established', ConnectedToNotifications | ConnectedToStations>;
  /** What is known now of devices and sensors. */
  'sensors:snapshot': Answer<'sensors:snapshot', SensorsSnapshot>;
  /** What stations are now. */
  'stations:snapshot': Answer<'stations:snapshot', StationsSnapshot>;
  /** A connection goes on behind its cursor. What it missed follows, each with a cursor of its own. */
  resumed: Said<'resumed', Resumed>;
  /** A connection cannot go on behind its cursor: it begins anew, and what it knows may be old. */
  reset: Said<'reset', Reset>;
  /** The answer to `ping`. */
  pong: Answer<'pong', Pong>;
  /** Several events at once, in their order, where a client asked for that by `batch`. */
  batch: Frame<'batch', Batch>;
  /** The answer to a call. */
  [name: `${string}:response`]: Answer<`${string}:response`, Reply>;
}

/**
 * What is told over Socket.IO, as lists of arguments. An offset is the last one where a connection asked for
 * `auth.recover`.
 */
export interface SocketIoEvents {
  /** The state of an entity was set, changed or taken away. */
  state_changed: [payload: StateChanged, offset?: string];
  /** An area was made, or this client got it. */
  area_added: [payload: AreaChanged & { eventId?: string }, offsetOrAcknowledge?: string | (() => void)];
  /** An area was deleted, or this client has it no more. */
  area_removed: [payload: AreaChanged & { eventId?: string }, offsetOrAcknowledge?: string | (() => void)];
  /** An area was changed. */
  area_updated: [payload: AreaChanged & { eventId?: string }, offsetOrAcknowledge?: string | (() => void)];
  /** An area was enabled: its clients may read what is in it. */
  area_enabled: [payload: AreaChanged & { eventId?: string }, offsetOrAcknowledge?: string | (() => void)];
  /** An area was disabled: its clients may not read what is in it. */
  area_disabled: [payload: AreaChanged & { eventId?: string }, offsetOrAcknowledge?: string | (() => void)];
  /** A client was made, paired anew, renamed or revoked, or it got or lost an area. */
  client_changed: [payload: PairedClient, offset?: string];
  /** A client was taken away. */
  client_removed: [payload: ClientRemoved, offset?: string];
  /** Clients came or went. */
  clients_present: [payload: ClientsPresent, offset?: string];
  /** A screen waits to be paired, or was approved or denied. */
  pairing_changed: [payload: PairingChanged, offset?: string];
  /** There is something that this user should know. */
  notification: [payload: NotificationTold, offset?: string];
  /** A battery was booked for this user. */
  booking_confirmed: [payload: BookingConfirmed, offset?: string];
  /** The battery that this user booked can be collected. */
  booking_ready: [payload: BookingReady, offset?: string];
  /** A reading of a sensor, or what the readings of an interval came to. */
  sensor_data_update: [payload: SensorDataUpdate, offset?: string];
  /** A device is heard again, or not any more. */
  device_status: [payload: DeviceStatus, offset?: string];
  /** The value of a sensor passed a threshold, or is back. */
  sensor_alarm: [payload: SensorAlarm, offset?: string];
  /** Somebody is online, or not any more. */
  newOnlineUser: [payload: NewOnlineUser, offset?: string];
  /** Something was said in a room, for those who are in it. */
  messageRoom: [payload: MessageRoom, offset?: string];
  /** Something was said in a room, as a list of rooms shows it, for members who are not in it. */
  messagePage: [payload: MessagePage, offset?: string];
  /** Somebody wrote to a houseworker for the first time. */
  firstMessageConversation: [payload: FirstMessageConversation, offset?: string];
  /** Something was said to this user: by this, unread messages are counted. */
  messageResponseNotify: [payload: MessageResponseNotify, offset?: string];
  /** Somebody types in the room. */
  typingMessageStart: [payload: TypingMessage, offset?: string];
  /** Somebody does not type any more. */
  typingMessageStop: [payload: TypingMessage, offset?: string];
  /** A group was made that this user is in. */
  createUserToGroupNotify: [payload: Notified, offset?: string];
  /** A group was made, as a list of rooms shows it. */
  createUserGroupChange: [payload: UserToGroupChange, offset?: string];
  /** Somebody was added to a group of this user, or they were. */
  addUserToGroupNotify: [payload: Notified, offset?: string];
  /** Somebody was added to a group, as a list of rooms shows it. */
  addUserToGroupChange: [payload: UserToGroupChange, offset?: string];
  /** The label that the room of this connection has from now on, as somebody was added. */
  addUserToGroupChangeInRoom: [payload: AddUserToGroupChangeInRoom, offset?: string];
  /** This user was kicked from a group. */
  kickUserFromGroupNotify: [payload: KickUserFromGroupNotify, offset?: string];
  /** Somebody was kicked from a group, left it or was deleted, as a list of rooms shows it. */
  kickUserFromGroupChange: [payload: KickUserFromGroupChange, offset?: string];
  /** Somebody is no member of the room of this connection any more. */
  kickUserFromGroupChangeInRoom: [payload: KickUserFromGroupChangeInRoom, offset?: string];
  /** A group of this user was deleted. */
  deleteUserRoomNotify: [payload: Notified, offset?: string];
  /** A group was deleted, as a list of rooms shows it. */
  deleteUserRoomChange: [payload: DeleteUserRoomChange, offset?: string];
  /** Somebody said something of this houseworker. */
  privateCommentNotify: [payload: PrivateCommentNotify, offset?: string];
  /** Somebody said something of this houseworker, as a list of comments shows it. */
  newCommentChange: [payload: HouseworkerComment, offset?: string];
  /** Somebody rated this houseworker. */
  [name: `privateRatingNotify-${number}`]: [payload: PrivateRatingNotify, offset?: string];
  /** What a station has is different now. */
  inventory_update: [payload: InventoryUpdate, offset?: string];
  /** A battery was booked. */
  battery_booked: [payload: BatteryBooked, offset?: string];
  /** A booked battery was collected: it is in no station any more. */
  battery_collected: [payload: BatteryCollected, offset?: string];
  /** A battery came to a station. */
  battery_added: [payload: BatteryAdded, offset?: string];
  /** A station works, or does not any more. */
  station_status: [payload: StationStatus, offset?: string];
  /** What is known now of the entities that were asked for. */
  'states:snapshot': [payload: Answering<StatesSnapshot>, offset?: string];
  /**
   * A refusal. Or: A refusal, with a code, that says when it was. Or: A refusal, in words alone. Or: A refusal, with a
   * code.
   */
  error: [payload: Answering<Refused | RefusedAt | RefusedInWords | RefusedWithCode>, offset?: string];
  /** The first that a paired client is told. */
  connected: [payload: Connected, offset?: string];
  /** An admin ended this client's access: it is told nothing after this. */
  token_revoked: [payload: TokenRevoked, offset?: string];
  /** This screen is a client from now on, with this token. */
  pairing_completed: [payload: PairingCompleted, offset?: string];
  /** The first that a connection to notifications is told. Or: The first that a connection to stations is told. */
  connection_established: [payload: ConnectedToNotifications | ConnectedToStations, offset?: string];
  /** What is known now of devices and sensors. */
  'sensors:snapshot': [payload: Answering<SensorsSnapshot>, offset?: string];
  /** What stations are now. */
  'stations:snapshot': [payload: Answering<StationsSnapshot>, offset?: string];
  /** Several events at once, in their order, where a client asked for that by `batch`. */
  batch: [payload: Batch, offset?: string];
  /** The answer to a call. */
  [name: `${string}:response`]: [payload: Answering<Reply>, offset?: string];
}

/** Any event, as a plain connection is told it. */
export type AnyEvent = Events[keyof Events];

/** Anything that a plain connection is told. */
export type AnyMessage = Messages[keyof Messages];

/** What is told over Socket.IO, as listeners take it: the parameter of `Socket` of `socket.io-client`. */
export type SocketIoListeners = { [Name in keyof SocketIoEvents]: (...told: SocketIoEvents[Name]) => void };
