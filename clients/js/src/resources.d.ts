// What the server shows over REST, and in replies and snapshots. Times without a zone are UTC: `utc` reads them.

export interface Station {
  id: number;
  name: string;
  status: 'online' | 'offline' | 'maintenance';
  available_batteries: number;
  booked_batteries: number;
  total_batteries: number;
}

export interface Battery {
  id: number;
  /** `null` of one that was collected. */
  station_id: number | null;
  name: string;
  model: string;
  status: 'available' | 'booked' | 'collected';
}

export interface Booking {
  id: number;
  station_id: number;
  battery_id: number;
  user_id: string;
  status: 'confirmed' | 'ready' | 'collected' | 'cancelled' | 'expired';
  /** `null` of a hold that never ends. */
  expires_at: string | null;
}

/** An item of the inbox. Those of `from: 'system'` have `title`, `level` and `timestamp`, and of bookings the rest. */
export interface InboxItem {
  id: number;
  from: string;
  to: string;
  type: string;
  date: { day: number; month: number; year: number; time: string };
  message: string;
  read: boolean;
  title?: string;
  level?: 'info' | 'success' | 'warning' | 'error';
  station_name?: string;
  booking_id?: number;
  battery_info?: string;
  timestamp?: string;
}
