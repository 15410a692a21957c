# One scene: what its script may call, then the script. Every command leaves NAME.out, NAME.err
# and NAME.end ("exit code, milliseconds") in the scene's folder.
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
    echo "$? $(((${EPOCHREALTIME/./} - begun) / 1000))" >"$name.end"
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

# camera PORT NAME OPTIONS...: plugs a virtual camera into a port (0 is place 1-1) for the rest
# of the scene. It comes back there by itself whenever it leaves.
camera() {
    local port=$1 name=$2
    shift 2
    XDG_RUNTIME_DIR=/run/sim serve --json sim rt1062 --name "$name" "$@" >"$name.sim" 2>&1 </dev/null &
    soon "the address of $name" 20 says "$name.sim" '"address"'
    local line
    read -r line <"$name.sim"
    line=${line#*\"address\":\"}
    attach vhci-attach "$port" "${line%%\"*}" >"$name.attach" 2>&1 </dev/null &
}

# hand NAME unplug|plug|jumper on|...
hand() {
    XDG_RUNTIME_DIR=/run/sim omv --json sim ctl "$@" >>hands 2>&1 || fail "hand $*"
}

set -o pipefail
rm -f failed
. ./script
