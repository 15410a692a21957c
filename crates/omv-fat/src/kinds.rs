//! Everything that can be found on a disk: its stable code, and what it means for whom.

/// Which part of a disk a finding is about, from the medium up to the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// The medium: size, readable sectors.
    Device,
    /// The partition table.
    Table,
    /// The boot sector and its backup.
    Volume,
    /// The file allocation table and its copies; exFAT's bitmap.
    Fat,
    /// Chains of clusters.
    Chains,
    /// Directories and their entries.
    Directories,
    /// Files that a camera runs.
    Content,
    /// What the camera's file system asks for and a PC does not.
    Camera,
    /// Room and its bookkeeping.
    Use,
}

impl Layer {
    /// All of them, in order.
    pub const ALL: [Self; 9] = [
        Self::Device,
        Self::Table,
        Self::Volume,
        Self::Fat,
        Self::Chains,
        Self::Directories,
        Self::Content,
        Self::Camera,
        Self::Use,
    ];

    /// As it is printed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Table => "partition table",
            Self::Volume => "volume",
            Self::Fat => "allocation table",
            Self::Chains => "chains",
            Self::Directories => "directories",
            Self::Content => "content",
            Self::Camera => "camera",
            Self::Use => "use",
        }
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; a disk with nothing but these is healthy.
    Note,
    /// It works for now, or for some.
    Warning,
    /// Something is lost, or about to be.
    Error,
}

impl Severity {
    /// As it is printed.
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What a repair costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// No byte of any file is lost.
    None,
    /// The likeliest of several answers; the undo file has the way back.
    Guess,
    /// Bytes that cannot be had any more are given up.
    Data,
}

impl Loss {
    /// As it is printed.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "loss-free",
            Self::Guess => "likely",
            Self::Data => "gives up what is gone",
        }
    }
}

/// What there is to say about a kind of finding.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Stable name, never reused.
    pub code: &'static str,
    /// Where it belongs.
    pub layer: Layer,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub title: &'static str,
    /// What the camera does about it.
    pub camera: &'static str,
    /// What a PC does about it.
    pub pc: &'static str,
    /// What the repair is; empty where there is none.
    pub repair: &'static str,
}

macro_rules! kinds {
    ($($name:ident $code:literal $layer:ident $severity:ident $title:literal
        camera $camera:literal pc $pc:literal repair $repair:literal;)*) => {
        /// A kind of finding.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Kind {
            $(#[doc = $title] $name,)*
        }

        impl Kind {
            /// All of them, from the medium up.
            pub const ALL: &'static [Kind] = &[$(Kind::$name,)*];

            /// What there is to say about it.
            pub fn about(self) -> About {
                match self {
                    $(Kind::$name => About {
                        code: $code,
                        layer: Layer::$layer,
                        severity: Severity::$severity,
                        title: $title,
                        camera: $camera,
                        pc: $pc,
                        repair: $repair,
                    },)*
                }
            }
        }
    };
}

kinds! {
    UnreadableSector "unreadable-sector" Device Error "sectors cannot be read"
        camera "gets an error or wrong data there" pc "reports a read error"
        repair "";
    CutShort "cut-short" Device Error "the disk ends before its volume does"
        camera "fails on every file behind the end" pc "refuses it or fails in the middle"
        repair "";
    NoVolume "no-volume" Device Error "no FAT or exFAT volume was found"
        camera "behaves as if there were no disk; an internal one is formatted at the next start"
        pc "offers to format it" repair "";

    TableSignature "table-signature" Table Error "the partition table lacks its signature"
        camera "does not see the card" pc "sees an empty disk" repair "set the signature 55 AA";
    PartitionPastEnd "partition-past-end" Table Error "a partition reaches behind the end of the disk"
        camera "fails on files behind the end" pc "may refuse the disk"
        repair "set the partition's length to its volume's, if that fits";
    PartitionsOverlap "partitions-overlap" Table Error "two partitions share sectors"
        camera "uses the first one it can" pc "one destroys the other" repair "";
    PartitionType "partition-type" Table Warning "the partition's type is not one of FAT or exFAT"
        camera "does not mind" pc "Windows may not show the disk"
        repair "set the type that fits the volume";
    PartitionBoot "partition-boot" Table Warning "a partition's flag is neither 00 nor 80"
        camera "does not mind" pc "may take the table for damaged" repair "clear the flag";
    PartitionOrder "partition-lost" Table Error "the partition table has no entry for the volume behind it"
        camera "does not see the card" pc "sees an empty disk"
        repair "enter the volume that was found into the table";
    GptDamaged "gpt-damaged" Table Error "the GPT's header or its entries are damaged"
        camera "does not read GPT at all" pc "may use the copy at the end, or refuse" repair "";

    BootSignature "boot-signature" Volume Error "the boot sector lacks its signature"
        camera "does not see the disk" pc "refuses it" repair "set the signature 55 AA";
    BootJump "boot-jump" Camera Error "the boot sector does not begin with a jump"
        camera "does not see the disk" pc "does not mind" repair "write a jump that does nothing";
    BootText "boot-text" Camera Error "the boot sector lacks the text FAT where the camera looks"
        camera "does not see the disk" pc "does not mind" repair "write the text";
    BootSector "boot-sector" Volume Error "the boot sector is damaged"
        camera "does not see the disk; an internal one is formatted at the next start"
        pc "offers to format it" repair "restore it from its backup";
    BootBackup "boot-backup" Volume Warning "the backup of the boot sector differs"
        camera "does not use it" pc "repairs may use it, and then fail"
        repair "write the boot sector into it";
    BootChecksum "boot-checksum" Volume Error "the checksum over the exFAT boot sectors is wrong"
        camera "does not check it" pc "refuses the disk"
        repair "restore the sectors from their backup, or set the checksum";
    VolumeSize "volume-size" Volume Error "the volume says it is larger than its partition"
        camera "may write into what follows" pc "may refuse it"
        repair "set the partition's length, if there is room";
    SizeOfDevice "block-size" Camera Error "the volume's sectors are not of the disk's size"
        camera "does not see the disk" pc "Linux reads it, Windows does not" repair "";
    MediaByte "media-byte" Fat Warning "the first entry of the table does not repeat the media byte"
        camera "does not mind" pc "old ones do" repair "set the entry";
    EndMark "end-mark" Fat Warning "the second entry of the table is not an end mark"
        camera "does not mind" pc "may say that the disk was not removed properly"
        repair "set the entry";
    Dirty "dirty" Fat Note "the disk was in use when a PC lost it"
        camera "does not know this mark and never clears it"
        pc "offers to scan and fix it; that alone is no defect" repair "clear the mark";
    HardErrors "hard-errors" Fat Warning "a PC saw read or write errors on this disk"
        camera "does not know this mark" pc "scans the disk's surface"
        repair "clear the mark; test the disk";
    PercentInUse "percent-in-use" Use Note "the boot sector's percentage of use is off"
        camera "does not use it" pc "sets it anew" repair "set it to unknown";

    FatsDiffer "fats-differ" Fat Error "the two copies of the allocation table differ"
        camera "reads the first copy alone" pc "Linux reads the first copy, repairs may use either"
        repair "use the better copy of each sector, by trial";
    FatGarbage "fat-garbage" Fat Error "entries of free clusters hold values that mean nothing"
        camera "counts them as used" pc "counts them as used" repair "free them";
    BadInUse "bad-cluster-used" Chains Error "a chain runs into a cluster that is marked bad"
        camera "cannot read the file from there on" pc "cannot read the file from there on"
        repair "link what follows, or end the chain";
    BitmapFree "used-but-free" Fat Error "clusters in use are marked free in the bitmap"
        camera "will write another file over them" pc "will write another file over them"
        repair "mark them used";

    ChainShort "chain-short" Chains Error "a chain ends before the file does"
        camera "reads part of the file" pc "reads part of the file, or refuses"
        repair "link the chain that follows; else shorten the file";
    ChainFree "chain-free" Chains Error "a chain runs into a cluster that is marked free"
        camera "fails in the file, and may write another over it"
        pc "reads part of the file" repair "link what follows; else shorten the file";
    ChainOutside "chain-outside" Chains Error "a chain leads outside of the volume"
        camera "fails in the file" pc "reads part of the file"
        repair "link what follows; else shorten the file";
    ChainLoop "chain-loop" Chains Error "a chain leads back into itself"
        camera "reads the same data again and again" pc "may hang or refuse"
        repair "link what follows; else end the chain";
    ChainLong "chain-long" Chains Warning "a chain goes on behind the end of its file"
        camera "loses the room" pc "loses the room"
        repair "end it; what follows is kept as a lost file";
    CrossLink "cross-link" Chains Error "two files share clusters"
        camera "writing one destroys the other" pc "writing one destroys the other"
        repair "give the one that is not meant its own chain back, or a copy";
    StartBad "start-bad" Chains Error "an entry's first cluster does not exist or is missing"
        camera "cannot read the file" pc "cannot read the file"
        repair "link a lost chain of that very length; else empty the file";
    StartUnused "start-unused" Chains Warning "an empty file has clusters"
        camera "loses the room" pc "loses the room"
        repair "take them off; they are kept as a lost file";
    LostClusters "lost-clusters" Chains Warning "clusters are in use but belong to no file"
        camera "loses the room" pc "loses the room" repair "keep them as files in FOUND.000";

    DirectorySize "directory-size" Directories Warning "a directory has a size in its entry"
        camera "does not mind" pc "does not mind" repair "set it to 0";
    DirectoryCycle "directory-cycle" Directories Error "a directory leads to another one's clusters"
        camera "a script that walks the disk never ends" pc "may hang or refuse"
        repair "find its own clusters; else remove the entry, what it leads to stays";
    DotEntry "dot-entry" Directories Error "a directory's entry `.` is missing or wrong"
        camera "does not use it" pc "Windows calls the directory damaged" repair "write it anew";
    DotDotEntry "dotdot-entry" Directories Error "a directory's entry `..` is missing or wrong"
        camera "does not use it" pc "leads astray from there" repair "write it anew";
    NotADirectory "directory-garbage" Directories Error "a directory's clusters hold something else"
        camera "shows garbage for names" pc "shows garbage for names, or refuses"
        repair "make it a file, so that nothing is lost";
    BadName "bad-name" Directories Error "a name has characters no name may have"
        camera "may be unable to open it" pc "may be unable to open it" repair "put _ in their place";
    SameName "same-name" Directories Error "two entries of a directory have one name"
        camera "finds the first one only" pc "finds the first one only" repair "rename the second";
    LongNameOrphan "long-name-orphan" Directories Warning "parts of a long name belong to no file"
        camera "ignores them" pc "ignores them" repair "free them; the short name stays";
    SecondLabel "second-label" Directories Warning "a label stands where none may be"
        camera "does not show it" pc "does not show it" repair "free it";
    BadAttribute "bad-attribute" Directories Warning "an entry has attributes that do not exist"
        camera "does not mind" pc "may hide it" repair "clear them";
    SetChecksum "set-checksum" Directories Error "the checksum of an entry is wrong"
        camera "does not show the file" pc "does not show the file, or refuses"
        repair "set it, where the rest of the entry holds together";
    SetBroken "set-broken" Directories Error "an entry of several parts is incomplete"
        camera "does not show the file" pc "does not show the file"
        repair "free its parts; its clusters are kept as a lost file";
    NameHash "name-hash" Directories Warning "the hash of a name is wrong"
        camera "does not find the file by its name" pc "does not find the file by its name"
        repair "set it";
    ValidLength "valid-length" Directories Error "more of a file is said to be valid than there is"
        camera "refuses the file" pc "refuses the file" repair "set it to the file's length";
    NoBitmap "no-bitmap" Directories Error "the allocation bitmap's entry is missing or damaged"
        camera "does not see the disk" pc "refuses it"
        repair "write the entry, where its clusters are found";
    NoUpcase "no-upcase" Directories Error "the table of upper-case letters is missing or damaged"
        camera "does not use it" pc "refuses the disk" repair "write the table's checksum, if it is whole";

    ContentZeros "content-zeros" Content Error "a script holds nothing but zeros"
        camera "does not run it" pc "shows an empty page" repair "";
    ContentNul "content-nul" Content Warning "a script has zeros in it"
        camera "stops there with a syntax error" pc "does not mind" repair "";
    ContentCoding "content-coding" Content Warning "a script is not UTF-8 text"
        camera "stops with a syntax error" pc "does not mind" repair "";
    ContentEmpty "content-empty" Content Warning "a script that the camera starts is empty"
        camera "starts and does nothing" pc "does not mind" repair "";
    Misnamed "misnamed" Content Note "a file looks like main.py but is not"
        camera "does not run it" pc "does not mind" repair "";

    CameraGpt "camera-gpt" Camera Error "the disk has a GPT"
        camera "does not see the disk" pc "does not mind" repair "";
    CameraExtended "camera-extended" Camera Error "the volume is in an extended partition"
        camera "does not see the disk" pc "does not mind" repair "";
    FewClusters "few-clusters" Camera Error "the volume is FAT32 but has too few clusters for it"
        camera "does not see the disk" pc "Linux reads it, Windows does not" repair "";
    CameraExfat "camera-exfat" Camera Error "the volume is exFAT in a form the camera does not take"
        camera "does not see the disk" pc "does not mind" repair "";

    InfoSignature "info-signature" Use Warning "the sector with the count of free clusters lacks its signatures"
        camera "counts by itself" pc "counts by itself" repair "write it anew";
    InfoFreeZero "info-free-zero" Use Error "the count of free clusters is 0 although there is room"
        camera "refuses to write anything: no space left" pc "does not mind"
        repair "write the true count";
    InfoFree "info-free-wrong" Use Warning "the count of free clusters is wrong"
        camera "believes it" pc "shows wrong free space" repair "write the true count";
    InfoNext "info-next" Use Warning "the hint for the next free cluster lies outside of the volume"
        camera "ignores it" pc "ignores it" repair "set it to unknown";
    Full "full" Use Note "no cluster is free"
        camera "refuses to write: no space left" pc "refuses to write" repair "";
    RootFull "root-full" Use Warning "the root directory has no entry left"
        camera "refuses new files there" pc "refuses new files there" repair "";
}

impl Kind {
    /// Stable name.
    pub fn code(self) -> &'static str {
        self.about().code
    }

    /// The kind of that name.
    pub fn of_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.code() == code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_kinds_share_a_code_and_each_says_what_everybody_does() {
        for (at, kind) in Kind::ALL.iter().enumerate() {
            let about = kind.about();
            assert_eq!(Kind::of_code(about.code), Some(*kind));
            assert!(Kind::ALL[..at].iter().all(|one| one.code() != about.code));
            assert!(!about.title.is_empty() && !about.camera.is_empty() && !about.pc.is_empty());
        }
    }
}
