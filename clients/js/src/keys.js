// Keys of what is to be done once, however often it is sent.

/** A key that nobody else has: sixteen bytes of chance. `randomUUID` is for secure pages alone. */
export const newKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
