# Process 1 once the root is there. Runs every scene of $rig/scenes in its own folder, then ends
# QEMU. An `exit` here would be a kernel panic, so each scene has a shell of its own.
rig=${BASH_SOURCE%/*}
export rig PATH=/tmp/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/tmp LANG=C.UTF-8 TERM=dumb
read -r booted _ </proc/uptime
busybox ifconfig lo up
# The user nobody must reach the programs, wherever the repository lies.
mkdir -p /tmp/bin && cp "$rig"/bin/* /tmp/bin/ && chmod 755 /tmp/bin /tmp/bin/*
mkdir -m 700 /run/sim /run/omv
dmesg --console-off
dmesg --clear
echo "$booted" >"$rig/booted"

for scene in "$rig"/scenes/*; do
    begun=${EPOCHREALTIME/./}
    cd "$scene" || continue
    timeout --kill-after=1 "$(<limit)" bash "$rig/scene.sh" >scene.out 2>scene.err </dev/null
    code=$?
    # Who waits in the kernel for what is then in the scene's log.
    ((code == 0)) || echo w >/proc/sysrq-trigger
    # Whatever a scene left running or plugged in is not the next one's.
    for process in /proc/[0-9]*; do
        read -r name 2>/dev/null <"$process/comm" || continue
        case $name in
            omv | attach | serve | cat | lsusb | blhost | sdphost | dfu-util | timeout) kill -KILL "${process#/proc/}" ;;
        esac
    done
    while read -r _ port state _; do
        case $state in
            004 | sta) ;;
            *) echo $((10#$port)) >/sys/devices/platform/vhci_hcd.0/detach ;;
        esac
    done </sys/devices/platform/vhci_hcd.0/status
    for ((tries = 0; tries < 100; tries++)); do
        compgen -G '/sys/bus/usb/devices/[0-9]*-[1-9]*' >/dev/null || break
        sleep 0.05
    done
    rm -rf /run/sim/omv /run/omv/omv
    dmesg --read-clear --notime >dmesg
    echo "$code $(((${EPOCHREALTIME/./} - begun) / 1000))" >end
done
cd / && sync
# isa-debug-exit: a byte written to I/O port F4 ends QEMU at once.
printf '\0' | dd of=/dev/port bs=1 seek=244 conv=notrunc status=none
