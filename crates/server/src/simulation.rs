//! (to come)
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    EvictionIgnoredWhilePending,
    PlaceOffByOne,
}
pub fn is_mutant(_: Mutant) -> bool {
    false
}
