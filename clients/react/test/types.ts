// What an application in TypeScript sees: this is compiled, and never run.

import { createElement } from 'react';
import { BellwireProvider, useBellwire, useNotifications, useStation, useStationWebSocket, useUserNotifications } from '@bellwire/react';

export function StationDetail({ stationId }: { stationId: number }) {
  const { inventory, station, stations, status, isConnected, condition, error } = useStation(stationId);
  const available: number | undefined = inventory?.available;
  // @ts-expect-error: it may not be known yet
  inventory.total;
  // @ts-expect-error: no such status
  status === 'closed';
  const text: string = `${station?.name} ${stations.length} ${isConnected} ${condition} ${error?.message} ${available}`;
  return createElement('p', null, text);
}

export function Bell() {
  const { notifications, unread, markRead, more, hasMore } = useNotifications();
  const onClick = () => markRead(notifications.map(({ id }) => id));
  // @ts-expect-error: ids are numbers
  markRead(['1']);
  return createElement('button', { onClick, onDoubleClick: () => more(), disabled: !hasMore }, unread);
}

export function OfTheDocument() {
  const { inventory, isConnected } = useStationWebSocket(1);
  const messages: string[] = useUserNotifications().map(({ message }) => message);
  const { api } = useBellwire();
  return createElement('button', { onClick: () => api.post('/api/stations/1/bookings') }, inventory?.booked, isConnected, messages);
}

export const app = createElement(BellwireProvider, { url: 'https://live.example', getToken: () => 'secret' }, createElement(Bell));
// @ts-expect-error: a token is a text
export const wrong = createElement(BellwireProvider, { token: 1 });
