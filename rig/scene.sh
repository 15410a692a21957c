# One scene: what its script may call, then the script. Every command leaves NAME.out, NAME.err
# and NAME.end ("exit code, milliseconds, microseconds since 1970 at its start") in the scene's
# folder.
export XDG_RUNTIME_DIR=/run/omv # not where the virtual cameras are entered: only USB leads to them

fail() {
    echo "$*" >>failed
    exit 1
}

# run NAME COMMAND...: runs it to its end.
run() {
    local name=$1 begun=${EPOCHREALTIME/./}
    shift
    "$@" >"$name.out" 2>"$name.err" </dev/null &
    echo $! >"$name.pid"
    wait $!
    echo "$? $(((${EPOCHREALTIME/./} - begun) / 1000)) $begun" >"$name.end"
}

# typed NAME LINE: runs what somebody types, and keeps it as NAME.line.
typed() {
    echo "$2" >"$1.line"
    run "$1" bash -c "$2"
}

# start NAME COMMAND...: the same in the background; finish NAME waits for it.
start() {
    : >"$1.out"
    run "$@" &
}

finish() { # NAME [SECONDS]
    soon "$1 to end" "${2:-60}" test -s "$1.end"
}

# halt NAME: ends what was started, as Ctrl-C would.
halt() {
    kill -INT "$(<"$1.pid")"
    finish "$1" 10
}

# soon WHAT SECONDS COMMAND...: until the command says yes.
soon() {
    local what=$1 end=$((${EPOCHREALTIME/./} + $2 * 1000000))
    shift 2
    until "$@"; do
        ((${EPOCHREALTIME/./} < end)) || fail "waited in vain for $what"
        nap
    done
}

# 30 ms without a process.
nap() { read -rt 0.03 <>/run/nap || :; }
[[ -p /run/nap ]] || mkfifo /run/nap

says() { # FILE TEXT
    local text
    [[ -e $1 ]] && text=$(<"$1") && [[ $text == *"$2"* ]]
}

# await NAME TEXT [SECONDS]: until the output of NAME has the text.
await() {
    soon "\`$2\` in $1.out" "${3:-40}" says "$1.out" "$2"
}

# node /dev/NAME [SECONDS]: until the kernel has made it. As root a redirection to a missing node
# makes a plain file, so only devices count.
node() {
    soon "$1" "${2:-20}" test -c "$1"
}

# gone PLACE: until the kernel has let go of what was plugged in there.
gone() {
    soon "$1 to be empty" 10 test ! -e "/sys/bus/usb/devices/$1"
}

# plugged VID:PID [PLACE]: whether that is what the kernel has there.
plugged() {
    local folder=/sys/bus/usb/devices/${2:-1-1} vid pid
    { read -r vid <"$folder/idVendor" && read -r pid <"$folder/idProduct"; } 2>/dev/null || return 1
    [[ $vid:$pid == "$1" ]]
}

# camera PORT NAME OPTIONS...: plugs a virtual camera into a port (0 is place 1-1) for the rest
# of the scene. It comes back there by itself whenever it leaves.
camera() {
    local port=$1 name=$2
    shift 2
    board "$port" "$name" rt1062 "$@"
}

# board PORT NAME MODEL OPTIONS...: the same with another model.
board() {
    local port=$1 name=$2 model=$3
    shift 3
    XDG_RUNTIME_DIR=/run/sim serve --json sim "$model" --name "$name" "$@" >"$name.sim" 2>&1 </dev/null &
    echo $! >"$name.server"
    soon "the address of $name" 20 says "$name.sim" '"address"'
    local line
    read -r line <"$name.sim"
    line=${line#*\"address\":\"}
    attach vhci-attach "$port" "${line%%\"*}" >"$name.attach" 2>&1 </dev/null &
}

# put_away NAME: the camera's server ends, and has saved it.
put_away() {
    kill -INT "$(<"$1.server")"
    soon "the server of $1 to end" 10 test ! -e "/proc/$(<"$1.server")/exe"
}

# supplies real|ours FILE...: the tools of that kind are found first, and the files lie here.
supplies() {
    case $1 in
        real) PATH=$spsdk/bin:$PATH ;;
        ours)
            mkdir tools
            ln -s /tmp/bin/omv tools/blhost
            ln -s /tmp/bin/omv tools/sdphost
            ln -s /tmp/bin/omv tools/dfu-util
            PATH=$PWD/tools:$PATH
            ;;
    esac
    # A home in memory: SPSDK keeps a cache there. Its log of every byte would go there, too.
    [[ -d /tmp/home ]] || cp -r "$rig/home" /tmp/home
    export HOME=/tmp/home SPSDK_DEBUG_LOGGING_DISABLED=1
    shift
    local file
    for file; do
        cp "$rig/$file" .
    done
}

# disks on|off: the kernel's drivers for disks and FAT.
disks() {
    local order
    mapfile -t order </run/modules/disks
    local at=0 count=${#order[@]}
    for ((; at < count; at++)); do
        case $1 in
            on) insmod "/run/modules/${order[at]}" ;;
            off) rmmod "${order[count - 1 - at]%.ko}" || : ;;
        esac
    done
}

# tap: from here on to untap, all that passes over the USB goes into usb.tap, as the kernel has it.
tap() {
    node /dev/usbmon1
    cat /dev/usbmon1 >/tmp/usb.tap 2>/dev/null &
    echo $! >tap.pid
}

untap() {
    kill "$(<tap.pid)"
    cp /tmp/usb.tap .
}

# hand NAME unplug|plug|jumper on|...
hand() {
    XDG_RUNTIME_DIR=/run/sim omv --json sim ctl "$@" >>hands 2>&1 || fail "hand $*"
}

set -o pipefail
rm -f failed
. ./script
