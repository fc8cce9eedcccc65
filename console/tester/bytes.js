// Bytes among the arguments of events: JSON has none, so they are written as `{"$bytes": "AQID"}`, in base64.

/** The one key of an object that stands for bytes. */
const KEY = '$bytes';

/** What a text says, with its bytes as an `ArrayBuffer` each; throws when it is no JSON, or they are no base64. @param {string} text */
export const parse = (text) => JSON.parse(text, (_, each) => (isWritten(each) ? read(each[KEY]) : each));

/** A value as JSON, with its bytes as `parse` takes them. @param {unknown} value @returns {string} */
export const write = (value) => JSON.stringify(value, (_, each) => (each instanceof ArrayBuffer ? { [KEY]: base64(each) } : each));

/** @param {any} value */
function isWritten(value) {
  return value !== null && typeof value === 'object' && typeof value[KEY] === 'string' && Object.keys(value).length === 1;
}

/** @param {string} text */
function read(text) {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0)).buffer;
  } catch {
    throw new RangeError(`"${text.slice(0, 20)}" is no base64.`);
  }
}

/** @param {ArrayBuffer} buffer */
const base64 = (buffer) => btoa(Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join(''));
