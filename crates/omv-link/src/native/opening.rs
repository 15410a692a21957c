//! Opening a node that has just appeared.
//!
//! The kernel makes a node first and udev sets its access rights some milliseconds later, so
//! "denied" within the first second means "not yet".

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use super::Lookup;
use crate::{Function, LinkError};

/// How long a missing node or missing rights may be the system still setting up.
pub(super) const SETTLE: Duration = Duration::from_secs(1);
/// Time between two tries.
pub(super) const SLICE: Duration = Duration::from_millis(20);

/// Why one try to open a node failed.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Somebody else has it.
    Busy,
    /// The system denies access.
    Denied,
    /// There is no such node, or nothing behind it.
    Missing(io::Error),
    /// Something else.
    Other(io::Error),
}

/// Sorts an error of an opening call.
pub(super) fn classify(error: io::Error) -> Trouble {
    match error.kind() {
        io::ErrorKind::ResourceBusy => Trouble::Busy,
        io::ErrorKind::PermissionDenied => Trouble::Denied,
        io::ErrorKind::NotFound => Trouble::Missing(error),
        _ if is_departure(&error) => Trouble::Missing(error),
        _ => Trouble::Other(error),
    }
}

#[cfg(unix)]
use super::node::is_departure;

/// Other systems have no such node in the first place.
#[cfg(not(unix))]
fn is_departure(_error: &io::Error) -> bool {
    false
}

/// Tries to open what `find` finds until it works, somebody else has it, or [`SETTLE`] is over.
pub(super) fn open_soon<T>(
    function: Function,
    mut find: impl FnMut() -> Result<Lookup, LinkError>,
    mut open: impl FnMut(&str) -> Result<T, Trouble>,
    holder: impl Fn(&str) -> Option<String>,
) -> Result<T, LinkError> {
    let end = Instant::now() + SETTLE;
    loop {
        let failure = match find()? {
            Lookup::Never => return Err(LinkError::NoFunction { function }),
            Lookup::NotYet => LinkError::Io {
                doing: format!("waiting for the driver of the {function}"),
                source: io::ErrorKind::NotFound.into(),
            },
            Lookup::Found(node) => match open(&node) {
                Ok(opened) => return Ok(opened),
                Err(Trouble::Busy) => {
                    return Err(LinkError::Busy {
                        holder: holder(&node),
                    });
                }
                Err(Trouble::Denied) => LinkError::NoAccess { node },
                Err(Trouble::Missing(source)) => opening(&node, source),
                Err(Trouble::Other(source)) => return Err(opening(&node, source)),
            },
        };
        if Instant::now() >= end {
            return Err(failure);
        }
        thread::sleep(SLICE);
    }
}

fn opening(node: &str, source: io::Error) -> LinkError {
    LinkError::Io {
        doing: format!("opening {node}"),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found() -> Result<Lookup, LinkError> {
        Ok(Lookup::Found("/dev/hidraw0".to_owned()))
    }

    #[cfg(unix)]
    #[test]
    fn the_systems_error_numbers_mean_what_they_should() {
        use rustix::io::Errno;

        let of = |number: Errno| classify(number.into());
        assert!(matches!(of(Errno::BUSY), Trouble::Busy));
        assert!(matches!(of(Errno::ACCESS), Trouble::Denied));
        assert!(matches!(of(Errno::PERM), Trouble::Denied));
        for gone in [Errno::NOENT, Errno::NODEV, Errno::NXIO, Errno::IO] {
            assert!(matches!(of(gone), Trouble::Missing(_)), "{gone}");
        }
        assert!(matches!(of(Errno::MFILE), Trouble::Other(_)));
    }

    #[test]
    fn access_that_comes_late_is_waited_for() {
        let mut tries = 0;
        let open = |_: &str| {
            tries += 1;
            if tries < 4 {
                Err(Trouble::Denied)
            } else {
                Ok(tries)
            }
        };
        assert_eq!(open_soon(Function::Hid, found, open, |_| None).unwrap(), 4);
    }

    #[test]
    fn access_that_never_comes_names_the_node_after_a_second() {
        let start = Instant::now();
        let open = |_: &str| Err::<(), _>(Trouble::Denied);
        let error = open_soon(Function::Hid, found, open, |_| None).unwrap_err();
        assert!(matches!(error, LinkError::NoAccess { node } if node == "/dev/hidraw0"));
        assert!(start.elapsed() >= SETTLE);
    }

    #[test]
    fn a_taken_node_is_not_waited_for_and_its_holder_is_named() {
        let mut tries = 0;
        let open = |_: &str| {
            tries += 1;
            Err::<(), _>(Trouble::Busy)
        };
        let holder = |_: &str| Some("screen (process 7)".to_owned());
        let error = open_soon(Function::Hid, found, open, holder).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the device is in use by screen (process 7)"
        );
        assert_eq!(tries, 1);
    }

    #[test]
    fn a_device_that_leaves_meanwhile_is_gone() {
        let mut looks = 0;
        let find = || {
            looks += 1;
            if looks < 3 {
                Ok(Lookup::NotYet)
            } else {
                Err(LinkError::Gone)
            }
        };
        let error = open_soon(Function::Hid, find, |_| Ok(()), |_| None).unwrap_err();
        assert!(matches!(error, LinkError::Gone));
    }
}
