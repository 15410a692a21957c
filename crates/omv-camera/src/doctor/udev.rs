//! udev rules: the file that gives people access to cameras, made from the boards, and what the
//! rules of others already give.
//!
//! The file sorts at 60 because the tag `uaccess` is acted on at 73: it gives the nodes to
//! whoever sits at the screen, and to nobody else. Work needs three kinds of node (USB, console,
//! HID), so a rule for one of them is not enough. ModemManager is kept away: it sends modem
//! commands to every new console, and the camera's first answers are lost.
//!
//! Sources: udev(7); systemd `rules.d/73-seat-late.rules.in`; ModemManager, "Device filter";
//! openmv/qt-creator `share/qtcreator/pydfu/99-openmv*.rules`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use omv_boards::{Speak, UsbId, all};
use omv_link::native::health::{NodeKind, RuleFile};

/// The name of the file.
pub const FILE: &str = "60-omv.rules";
/// The first file after which `uaccess` comes too late.
const SEATS: &str = "73-seat-late.rules";

/// What one USB id needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The id.
    pub id: UsbId,
    /// The kinds of node that work in its states needs.
    pub kinds: Vec<NodeKind>,
    /// Who has it, for people: `OpenMV Cam RT1062 (run)`.
    pub who: Vec<String>,
    /// Whether it belongs to other products as well: ModemManager must keep its say there.
    pub shared: bool,
}

/// What every id of every board needs, sorted by id.
#[must_use]
pub fn needs() -> Vec<Need> {
    let mut needs: BTreeMap<UsbId, Need> = BTreeMap::new();
    for board in all() {
        for identity in &board.seen {
            let need = needs.entry(identity.usb).or_insert_with(|| Need {
                id: identity.usb,
                kinds: Vec::new(),
                who: Vec::new(),
                shared: false,
            });
            need.shared |= identity.speak == Speak::SecureEnclave;
            for kind in kinds(identity.speak) {
                if !need.kinds.contains(kind) {
                    need.kinds.push(*kind);
                }
            }
            let who = format!("{} ({})", board.title, identity.state);
            if !need.who.contains(&who) {
                need.who.push(who);
            }
        }
    }
    let mut needs: Vec<Need> = needs.into_values().collect();
    for need in &mut needs {
        need.kinds.sort_unstable();
    }
    needs
}

fn kinds(speak: Speak) -> &'static [NodeKind] {
    match speak {
        Speak::Mboot | Speak::Sdp => &[NodeKind::Usb, NodeKind::Hidraw],
        Speak::Dfu | Speak::DfuSe | Speak::StPhases | Speak::Picoboot => &[NodeKind::Usb],
        Speak::V1
        | Speak::V2
        | Speak::V1OrV2
        | Speak::Repl
        | Speak::Sketch
        | Speak::Legacy
        | Speak::SamBa => &[NodeKind::Usb, NodeKind::Tty],
        // A serial bridge of another maker: its line is all that is wanted.
        Speak::SecureEnclave => &[NodeKind::Tty],
    }
}

/// The whole file.
#[must_use]
pub fn text() -> String {
    let mut text = String::from(
        "# Access to OpenMV cameras, in every state, for whoever sits at this machine.\n\
         # Made from omv's table of boards. The number must stay below 73, where the seat rules\n\
         # act on the tag uaccess. After a change: udevadm control --reload && udevadm trigger\n\
         \n\
         ACTION==\"remove\", GOTO=\"omv_end\"\n",
    );
    for need in needs() {
        let (vendor, product) = (need.id.vid, need.id.pid);
        let who = match &need.who[..] {
            [] => String::new(),
            [only] => only.clone(),
            [first, rest @ ..] => format!("{first} and {} more", rest.len()),
        };
        let _ = writeln!(text, "\n# {}: {who}", need.id);
        let quiet = if need.shared {
            ""
        } else {
            ", ENV{ID_MM_DEVICE_IGNORE}=\"1\""
        };
        for kind in &need.kinds {
            // The device itself has the attributes; the others look up to it.
            let (device, attribute, more) = match kind {
                NodeKind::Usb => (
                    ", ENV{DEVTYPE}==\"usb_device\"",
                    "ATTR",
                    ", ENV{MTP_NO_PROBE}=\"1\"",
                ),
                NodeKind::Tty | NodeKind::Hidraw => ("", "ATTRS", ""),
            };
            let _ = writeln!(
                text,
                "SUBSYSTEM==\"{}\"{device}, {attribute}{{idVendor}}==\"{vendor:04x}\", \
                 {attribute}{{idProduct}}==\"{product:04x}\", MODE=\"0660\", \
                 TAG+=\"uaccess\"{quiet}{more}",
                kind.subsystem(),
            );
        }
    }
    text.push_str("\nLABEL=\"omv_end\"\n");
    text
}

/// Whether one of these rules lets people open nodes of this kind of devices with this id.
#[must_use]
pub fn grants(rules: &[RuleFile], id: UsbId, kind: NodeKind) -> bool {
    rules.iter().any(|file| {
        // A later file's tag is never acted on.
        let in_time = file.name.as_str() < SEATS;
        lines(&file.text).any(|line| {
            line.is_about(id, kind)
                && line.terms.iter().any(|term| match term.key {
                    "TAG" => in_time && term.sets() && term.value == "uaccess",
                    "MODE" => term.sets() && is_open_to_all(term.value),
                    "GROUP" => term.sets(),
                    _ => false,
                })
        })
    })
}

/// Whether one of these rules keeps ModemManager away from devices with this id.
#[must_use]
pub fn quiets_modem_manager(rules: &[RuleFile], id: UsbId) -> bool {
    rules.iter().any(|file| {
        lines(&file.text).any(|line| {
            (line.is_about(id, NodeKind::Usb) || line.is_about(id, NodeKind::Tty))
                && line.terms.iter().any(|term| {
                    term.sets() && term.key == "ENV{ID_MM_DEVICE_IGNORE}" && term.value == "1"
                })
        })
    })
}

/// `0666`: everybody may read and write.
fn is_open_to_all(mode: &str) -> bool {
    u32::from_str_radix(mode, 8).is_ok_and(|mode| mode & 0o006 == 0o006)
}

/// One `KEY operator "value"` of a rule.
#[derive(Clone, Copy, Debug)]
struct Term<'a> {
    key: &'a str,
    operator: &'a str,
    value: &'a str,
}

impl Term<'_> {
    fn sets(&self) -> bool {
        matches!(self.operator, "=" | "+=" | ":=")
    }

    /// What this condition says about a text; terms that are no condition hold always.
    fn holds_for(&self, text: &str) -> bool {
        let matches = self.value.split('|').any(|pattern| glob(pattern, text));
        match self.operator {
            "==" => matches,
            "!=" => !matches,
            _ => true,
        }
    }
}

/// One rule.
struct Line<'a> {
    terms: Vec<Term<'a>>,
}

impl Line<'_> {
    /// Whether the rule names this vendor and nothing it says excludes this id and kind of node.
    /// Conditions on anything else are taken to hold: this must not accuse a machine that works.
    fn is_about(&self, id: UsbId, kind: NodeKind) -> bool {
        let (vendor, product) = (format!("{:04x}", id.vid), format!("{:04x}", id.pid));
        let name = match kind {
            NodeKind::Usb => "1-4",
            NodeKind::Tty => "ttyACM0",
            NodeKind::Hidraw => "hidraw0",
        };
        let is_vendor = |key: &str| matches!(key, "ATTR{idVendor}" | "ATTRS{idVendor}");
        self.terms.iter().any(|term| is_vendor(term.key))
            && self.terms.iter().all(|term| match term.key {
                // Only the USB device itself has these.
                "ATTR{idVendor}" => kind == NodeKind::Usb && term.holds_for(&vendor),
                "ATTR{idProduct}" => kind == NodeKind::Usb && term.holds_for(&product),
                "ATTRS{idVendor}" => term.holds_for(&vendor),
                "ATTRS{idProduct}" => term.holds_for(&product),
                "SUBSYSTEM" => term.holds_for(kind.subsystem()),
                // The subsystems above a node: USB for all three.
                "SUBSYSTEMS" => term.holds_for("usb") || term.holds_for(kind.subsystem()),
                "KERNEL" => term.holds_for(name),
                _ => true,
            })
    }
}

fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| Line { terms: terms(line) })
}

/// The terms of a line, up to the first thing that is none.
fn terms(line: &str) -> Vec<Term<'_>> {
    let mut terms = Vec::new();
    let mut rest = line;
    while let Some((head, tail)) = rest.split_once('"') {
        let Some((value, next)) = tail.split_once('"') else {
            break;
        };
        let head = head.trim_matches([' ', '\t', ',']);
        let end = head.find(['=', '!', '+', '-', ':']).unwrap_or(head.len());
        let (key, operator) = head.split_at(end);
        terms.push(Term {
            key: key.trim(),
            // A letter before the quote asks for escapes or for any case.
            operator: operator.trim().trim_end_matches(['e', 'i']),
            value,
        });
        rest = next;
    }
    terms
}

/// udev's patterns: `*`, `?` and `[...]`, which is taken for any one character.
fn glob(pattern: &str, text: &str) -> bool {
    let mut pattern_rest = pattern.chars();
    match pattern_rest.next() {
        None => text.is_empty(),
        Some('*') => {
            // Without the stars that add nothing, each further one has used up a character.
            let rest = pattern_rest.as_str().trim_start_matches('*');
            let starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            starts.into_iter().any(|at| glob(rest, &text[at..]))
        }
        Some(one) => {
            let mut text_rest = text.chars();
            let Some(found) = text_rest.next() else {
                return false;
            };
            let rest = pattern_rest.as_str();
            let (fits, rest) = match one {
                '?' => (true, rest),
                '[' => (true, rest.split_once(']').map_or("", |(_, rest)| rest)),
                // Attributes are compared in lower case: sysfs has no other.
                one => (one.eq_ignore_ascii_case(&found), rest),
            };
            fits && glob(rest, text_rest.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str) -> RuleFile {
        RuleFile {
            path: format!("/etc/udev/rules.d/{name}"),
            name: name.to_owned(),
            text: text.to_owned(),
        }
    }

    fn id(text: &str) -> UsbId {
        text.parse().unwrap()
    }

    #[test]
    fn the_file_grants_every_node_of_every_state_of_every_board() {
        let rules = [file(FILE, &text())];
        for need in needs() {
            for kind in &need.kinds {
                assert!(grants(&rules, need.id, *kind), "{} {kind:?}", need.id);
            }
            assert_eq!(
                quiets_modem_manager(&rules, need.id),
                !need.shared,
                "{}",
                need.id
            );
        }
        assert!(!grants(&rules, id("1D6B:0002"), NodeKind::Usb));
        assert!(!grants(&rules, id("37C5:9203"), NodeKind::Tty));
    }

    #[test]
    fn the_rt1062_gets_its_hid_nodes_and_its_console() {
        let text = text();
        for line in [
            r#"SUBSYSTEM=="hidraw", ATTRS{idVendor}=="15a2", ATTRS{idProduct}=="0073", MODE="0660", TAG+="uaccess", ENV{ID_MM_DEVICE_IGNORE}="1""#,
            r#"SUBSYSTEM=="hidraw", ATTRS{idVendor}=="1fc9", ATTRS{idProduct}=="0135", MODE="0660", TAG+="uaccess", ENV{ID_MM_DEVICE_IGNORE}="1""#,
            r#"SUBSYSTEM=="tty", ATTRS{idVendor}=="37c5", ATTRS{idProduct}=="1060", MODE="0660", TAG+="uaccess", ENV{ID_MM_DEVICE_IGNORE}="1""#,
        ] {
            assert!(text.lines().any(|one| one == line), "missing: {line}");
        }
    }

    #[test]
    fn a_tag_after_the_seat_rules_is_never_acted_on() {
        assert!(!grants(
            &[file("99-omv.rules", &text())],
            id("37C5:1060"),
            NodeKind::Tty
        ));
    }

    /// The lines of openmv/qt-creator's 99-openmv.rules and 99-openmv-nxp.rules.
    const IDE: &str = r#"
# OpenMV
ATTRS{idVendor}=="37c5", ATTRS{idProduct}=="1204", ENV{ID_MM_DEVICE_IGNORE}="1"
KERNEL=="ttyACM*", ATTRS{idVendor}=="37c5", ATTRS{idProduct}=="1204", MODE:="0666", SYMLINK+="openmvcam"
SUBSYSTEMS=="usb", ATTRS{idVendor}=="37c5", ATTRS{idProduct}=="9204", MODE:="0666", SYMLINK+="openmvdfu"
SUBSYSTEM=="hidraw", KERNEL=="hidraw*", ATTRS{idVendor}=="1fc9", MODE="0666"
"#;

    #[test]
    fn the_ides_rules_are_understood_with_what_they_lack() {
        let rules = [file("99-openmv.rules", IDE)];
        let grants = |usb, kind| grants(&rules, id(usb), kind);
        assert!(grants("37C5:1204", NodeKind::Tty));
        assert!(!grants("37C5:1204", NodeKind::Usb), "the tty only");
        assert!(grants("37C5:9204", NodeKind::Usb));
        assert!(!grants("37C5:9203", NodeKind::Usb), "another id");
        assert!(grants("1FC9:0135", NodeKind::Hidraw));
        assert!(!grants("1FC9:0135", NodeKind::Usb), "hidraw only");
        assert!(quiets_modem_manager(&rules, id("37C5:1204")));
        assert!(!quiets_modem_manager(&rules, id("37C5:9204")));
    }

    #[test]
    fn general_rules_and_broken_ones_grant_nothing() {
        for text in [
            r#"SUBSYSTEM=="usb", MODE="0664""#,
            r#"KERNEL=="tty[A-Z]*[0-9]", GROUP="dialout""#,
            r#"ATTRS{idVendor}=="37c5", ATTRS{idProduct}=="1204", MODE="0660""#,
            r#"ATTRS{idVendor}!="37c5", MODE="0666""#,
            r##"# ATTRS{idVendor}=="37c5", MODE="0666""##,
            r#"ATTRS{idVendor}=="37c5, MODE="0666"#,
            r#"="" ,,, """#,
        ] {
            let rules = [file("10-x.rules", text)];
            assert!(!grants(&rules, id("37C5:1204"), NodeKind::Tty), "{text}");
        }
    }

    #[test]
    fn patterns_match_as_udev_says() {
        assert!(glob("ttyACM*", "ttyACM0") && glob("tty[A-Z]CM?", "ttyACM0"));
        assert!(glob("120?", "1204") && glob("*", ""));
        assert!(!glob("ttyUSB*", "ttyACM0") && !glob("120", "1204") && !glob("?", ""));
        assert!(!glob("[", ""));
        assert!(!glob(&"*".repeat(100_000), "x") || glob("*", "x"));
    }
}
