//! Masking (RFC 6455 section 5.3).

/// Masks or unmasks `payload` in place: the two are one operation. The key starts at its first
/// byte; to go on in the middle of a frame, rotate it first.
///
/// Eight bytes at a time, which the compiler widens to the vector registers there are.
pub(super) fn apply(payload: &mut [u8], key: [u8; 4]) {
    let [a, b, c, d] = key;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip([a, b, c, d, a, b, c]) {
        *byte ^= key;
    }
}
