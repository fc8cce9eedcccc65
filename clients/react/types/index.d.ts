export { Bellwire } from "./bellwire.js";
export { useNotifications } from "./notifications.js";
export { useStation } from "./station.js";
export type BellwireOptions = import("./bellwire.js").BellwireOptions;
export type ShownNotifications = import("./notifications.js").ShownNotifications;
export type ShownStation = import("./station.js").ShownStation;
export { useStationWebSocket, useUserNotifications } from "./document.js";
export { BellwireProvider, useBellwire } from "./provider.js";
