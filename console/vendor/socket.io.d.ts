// What the console uses of the Socket.IO client.

export interface Packet {
  type: 'open' | 'close' | 'ping' | 'pong' | 'message' | 'upgrade' | 'noop';
  data?: any;
}
export interface Transport {
  write(packets: Packet[]): void;
  onPacket(packet: Packet): void;
}
export type TransportClass = new (...args: any[]) => Transport;
export const XHR: TransportClass;
export const WebSocket: TransportClass;
export interface Engine {
  id: string;
  transport: { name: string };
  on(event: string, heard: (value: any, description?: any) => void): void;
}
export interface Manager {
  engine: Engine;
  on(event: string, heard: (value: any) => void): void;
}
export interface Socket {
  id?: string;
  connected: boolean;
  active: boolean;
  recovered: boolean;
  io: Manager;
  connect(): Socket;
  disconnect(): Socket;
  on(event: string, heard: (...args: any[]) => void): void;
  onAny(heard: (event: string, ...args: any[]) => void): void;
  emit(event: string, ...args: any[]): void;
  timeout(ms: number): { emitWithAck(event: string, ...args: any[]): Promise<any> };
}
export function io(url: string, options: Record<string, unknown>): Socket;
