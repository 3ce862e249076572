//! Pseudo terminals.

use std::{fs::File, os::fd::OwnedFd};

use rustix::{
    fs::{self, Mode, OFlags},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};

/// Returns the side of the user and the side of the program.
pub(crate) fn open_terminal() -> (File, OwnedFd) {
    let user = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo terminal");
    grantpt(&user).expect("granted");
    unlockpt(&user).expect("unlocked");
    let name = ptsname(&user, Vec::new()).expect("a name");
    let program = fs::open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty());
    (user.into(), program.expect("a terminal"))
}
