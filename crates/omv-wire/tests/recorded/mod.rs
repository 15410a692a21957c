//! Reads the traffic of other people's tools that was recorded in the rig: the vectors
//! `spsdk-*.txt`. Tests of several crates include this file.
//!
//! ```text
//!   file NAME SIZE DIGEST    $ a command line    | a line of its batch file
//!   > a report to the device    < a report from it; in words: hexadecimal, 0*COUNT zeros,
//!                                 FILE@OFFSET+LENGTH
//! ```
//!
//! The files are not there: whoever replays has a stand-in of the same size for each.

/// A recording.
pub struct Recording {
    /// Name and first digits of the SHA-256 of each file.
    #[allow(dead_code, reason = "not every test has the very file")]
    pub files: Vec<(String, String)>,
    /// One for each program that ran.
    pub sessions: Vec<Session>,
}

/// What one program did.
#[derive(Default)]
pub struct Session {
    /// Its command line.
    #[allow(dead_code, reason = "a camera does not see it")]
    pub line: String,
    /// The lines of the file it was given as a batch.
    #[allow(dead_code, reason = "a camera does not see them")]
    pub batch: Vec<String>,
    /// What passed.
    pub reports: Vec<Report>,
}

/// One report, id first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Whether it went to the device.
    pub out: bool,
    /// All of it.
    pub bytes: Vec<u8>,
}

/// Reads a recording; `stand_in` gives a file by its name.
pub fn read(text: &str, stand_in: &dyn Fn(&str) -> Vec<u8>) -> Recording {
    let mut recording = Recording {
        files: Vec::new(),
        sessions: Vec::new(),
    };
    for line in text.lines() {
        let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
        let session = recording.sessions.last_mut();
        match mark {
            "#" | "" => {}
            "file" => {
                let words: Vec<&str> = rest.split(' ').collect();
                let size: usize = words[1].parse().unwrap();
                assert_eq!(stand_in(words[0]).len(), size, "{line}");
                recording
                    .files
                    .push((words[0].to_owned(), words[2].to_owned()));
            }
            "$" => recording.sessions.push(Session {
                line: rest.to_owned(),
                ..Session::default()
            }),
            "|" => session.unwrap().batch.push(rest.to_owned()),
            ">" | "<" => session.unwrap().reports.push(Report {
                out: mark == ">",
                bytes: rest
                    .split(' ')
                    .flat_map(|word| bytes(word, stand_in))
                    .collect(),
            }),
            _ => panic!("not a recording: {line}"),
        }
    }
    assert!(!recording.sessions.is_empty());
    recording
}

/// What a word stands for.
fn bytes(word: &str, stand_in: &dyn Fn(&str) -> Vec<u8>) -> Vec<u8> {
    if let Some((file, piece)) = word.split_once('@') {
        let (from, size) = piece.split_once('+').unwrap();
        let (from, size): (usize, usize) = (from.parse().unwrap(), size.parse().unwrap());
        return stand_in(file)[from..from + size].to_vec();
    }
    if let Some(zeros) = word.strip_prefix("0*") {
        return vec![0; zeros.parse().unwrap()];
    }
    assert!(word.len().is_multiple_of(2), "{word}");
    let pairs = (0..word.len()).step_by(2);
    let byte = |at: usize| u8::from_str_radix(&word[at..at + 2], 16).unwrap();
    pairs.map(byte).collect()
}
