//! Room for so many things of so many bytes together: a count alone would let large ones take all memory.

use std::sync::{Mutex, MutexGuard};

pub struct Room {
    count_max: usize,
    bytes_max: usize,
    taken: Mutex<Taken>,
}

/// Never above the limits.
#[derive(Default)]
struct Taken {
    count: usize,
    bytes: usize,
}

impl Room {
    pub fn new(count_max: usize, bytes_max: usize) -> Self {
        Self { count_max, bytes_max, taken: Mutex::default() }
    }

    /// False: there is no room for it now, and nothing was taken.
    pub fn take(&self, bytes: usize) -> bool {
        let mut taken = self.taken();
        if taken.count >= self.count_max || bytes > self.bytes_max - taken.bytes {
            return false;
        }
        taken.count += 1;
        taken.bytes += bytes;
        true
    }

    /// What one `take` has taken.
    pub fn give_back(&self, bytes: usize) {
        let mut taken = self.taken();
        taken.count -= 1;
        taken.bytes -= bytes;
    }

    /// False: it is too large even where nothing else is.
    pub fn could_ever_take(&self, bytes: usize) -> bool {
        bytes <= self.bytes_max
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_full_by_count_or_by_bytes_and_has_room_again_for_what_was_given_back() {
        let room = Room::new(3, 1_000);
        assert!(room.take(600));
        assert!(!room.take(401));
        assert!(room.take(400));
        assert!(room.take(0));
        assert!(!room.take(0));
        room.give_back(600);
        assert!(!room.take(601));
        assert!(room.take(600));
    }

    #[test]
    fn never_has_room_for_one_thing_above_its_limit() {
        let room = Room::new(3, 1_000);
        assert!(!room.take(1_001));
        assert!(!room.take(usize::MAX));
        assert!(!room.could_ever_take(1_001));
        assert!(room.could_ever_take(1_000));
        assert!(room.take(1_000));
    }
}
