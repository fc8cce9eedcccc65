export function newKey(): string;
