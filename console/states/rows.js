// The rows of the list: entities grouped by domain, as a search and the groups that are closed leave them.

/**
 * @typedef {import('../live/states.js').Entity} Entity
 * @typedef {{ key: string, domain: string, count: number, isOpen: boolean, entity?: undefined, group: number }} Group
 * @typedef {{ key: string, entity: Entity, place: number, count: number, isOpen?: undefined, group: number }} Item
 * @typedef {Group | Item} Row `key` names it, `group` is the row of its group
 */

/**
 * @param {Map<string, Entity>} entities
 * @param {string} query every word of it must occur
 * @param {Set<string>} closed domains that show no rows; a search opens all
 */
export function rowsOf(entities, query, closed) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  /** @type {Map<string, Entity[]>} */
  const domains = new Map();
  let found = 0;
  for (const entity of entities.values()) {
    if (!words.every((word) => entity.text.includes(word))) continue;
    found += 1;
    const group = domains.get(entity.domain);
    if (group) group.push(entity);
    else domains.set(entity.domain, [entity]);
  }
  /** @type {Row[]} */
  const rows = [];
  for (const domain of [...domains.keys()].sort()) {
    const members = domains.get(domain) ?? [];
    const isOpen = words.length > 0 || !closed.has(domain);
    const group = rows.length;
    rows.push({ key: `${domain}.`, domain, count: members.length, isOpen, group });
    if (!isOpen) continue;
    members.sort(byName);
    members.forEach((entity, at) => {
      rows.push({ key: entity.id, entity, place: at + 1, count: members.length, group });
    });
  }
  return { rows, found };
}

/**
 * By code units: a comparison by language takes fifty times as long.
 *
 * @param {Entity} a
 * @param {Entity} b
 */
function byName(a, b) {
  if (a.sortKey < b.sortKey) return -1;
  return a.sortKey > b.sortKey ? 1 : 0;
}

/**
 * A domain as a heading: `binary_sensor` is `Binary sensor`.
 *
 * @param {string} domain
 */
export function heading(domain) {
  const words = domain.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}
