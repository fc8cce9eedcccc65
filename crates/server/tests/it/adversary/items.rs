//! The two lists of TRUST.md, in its words, shortened: each item is played by at least one row or function.

use std::collections::BTreeSet;

use super::{abuse, attacks, hostile, sweep};

/// "Attacks and defences".
const ATTACKS: &[&str] = &[
    "spoofed userID, from, typing.user",
    "guessed rooms",
    "forged recipients and notifications",
    "group takeover",
    "sequential ids read by others",
    "absent and forbidden answer alike",
    "anonymous sensor posts, a device posting for another",
    "e-mail on public streams",
    "cross-site WebSocket hijacking",
    "tokens in logs",
    "pairing codes brute-forced",
    "pairing_completed overheard",
    "JWT tricks",
    "forged X-Forwarded-For",
    "slow headers",
    "tiny fragments",
    "many fragments",
    "compression bombs",
    "huge attachment counts",
    "stored markup",
    "no URL of a client is fetched",
];

/// "Hostile input, with its answer".
const HOSTILE: &[&str] = &[
    "upgrade: no Upgrade or version not 13",
    "upgrade: the key",
    "upgrade: request line and headers",
    "upgrade: unfinished",
    "upgrade: bad Origin",
    "upgrade: ids",
    "upgrade: rate",
    "upgrade: draining",
    "upgrade: extension offers",
    "frames: unmasked",
    "frames: reserved bits and opcodes",
    "frames: control over 125 or fragmented",
    "frames: a length that is not minimal",
    "frames: orphan continuation",
    "frames: a message inside another",
    "frames: close of length 1",
    "frames: close codes",
    "frames: bad UTF-8",
    "frames: a length over the limit",
    "frames: too many fragments or pings",
    "frames: no close reply",
    "Engine.IO: version",
    "Engine.IO: transport unknown",
    "Engine.IO: sid unknown",
    "Engine.IO: handshake by POST",
    "Engine.IO: transport mismatch",
    "Engine.IO: refused",
    "Engine.IO: two at once",
    "Engine.IO: body over maxPayload",
    "Engine.IO: octets",
    "Engine.IO: empty body, too many packets, bad base64",
    "Engine.IO: probe unfinished",
    "Engine.IO: a second socket, a poll after an upgrade",
    "Socket.IO: unknown packet types",
    "Socket.IO: event bodies",
    "Socket.IO: reserved names",
    "Socket.IO: ack ids",
    "Socket.IO: event before CONNECT",
    "Socket.IO: attachments",
    "Socket.IO: no namespace, no CONNECT",
    "Socket.IO: unknown events, 50-",
    "JSON: syntax, NaN, BOM, surrogates",
    "JSON: depth, duplicate keys, no object",
    "JSON: zero characters",
    "JSON: ids",
    "JSON: 64 KiB",
    "fields: bounds, types, odd texts, dates",
    "REST: method, type, size, syntax",
    "REST: identity and rights",
];

/// Every item that something plays.
fn played() -> BTreeSet<&'static str> {
    let mut played = BTreeSet::new();
    played.extend(attacks::ATTACKS.iter().chain(attacks::OF_THE_KICKED).map(|attack| attack.item));
    played.extend([abuse::DONE, hostile::DONE, sweep::DONE, attacks::DONE].concat());
    played.extend(hostile::UPGRADES.iter().map(|row| row.0));
    played.extend(hostile::frames().iter().map(|row| row.0));
    played.extend(hostile::ENGINE_IO.iter().map(|row| row.0));
    played.extend(hostile::bodies().iter().map(|row| row.0));
    played.extend(hostile::PACKETS.iter().map(|row| row.0));
    played.extend(hostile::texts().iter().map(|row| row.0));
    played.extend(hostile::VALUES.iter().map(|row| row.0));
    played.extend(hostile::WAITS.iter().map(|row| row.0));
    played
}

#[test]
fn every_item_is_played() {
    let items: BTreeSet<&str> = ATTACKS.iter().chain(HOSTILE).copied().collect();
    assert_eq!(items.len(), ATTACKS.len() + HOSTILE.len(), "none twice");
    let played = played();
    let missing: Vec<&&str> = items.difference(&played).collect();
    assert!(missing.is_empty(), "nobody plays {missing:?}");
    let unknown: Vec<&&str> = played.difference(&items).collect();
    assert!(unknown.is_empty(), "no items of the lists: {unknown:?}");
}
