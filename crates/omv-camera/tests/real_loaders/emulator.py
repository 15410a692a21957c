"""Runs the loaders shipped on every RT1062 from their reset handlers, in an emulated Cortex-M7.

    test (Rust) --- one line, a question --> this file --- Unicorn --- the loader's own code
                <-- one line, an answer ---

The loader's own: start-up, clocks, timer, fuse controller, memory rules, command loop, HID
transport. Stand-ins, because they are hardware or the chip's ROM: the USB controller (its events
enter at the loader's device and HID callbacks), the driver of the NOR flash, flash, fuses, one pin,
and time, which passes when the loader looks at its timer or for a host, and not otherwise.

Questions; BYTES in hexadecimal digits, all other numbers decimal:

    blank                 empties the flash
    place OFFSET BYTES    puts bytes into it                 sectors      those not blank
    fuse WORD VALUE       sets a fuse word                   fuses        all of them
    found BYTES           the configuration block that looking for the flash finds
    fails STATUS          what the flash driver's init says from now on
    pin LEVEL             WAKEUP
    start IMAGE BYTES     power comes: `sbl` or `flashloader`, with the loader's file
    run MILLISECONDS      lets time pass until then, counted from the start
    configure             the host sets the configuration
    out BYTES             the host sends a transfer, with its report

The last four are answered with what the loader does then, and with the reports it sent before:

    waits MICROSECONDS                         for the host
    jumps MICROSECONDS ADDRESS STACK VECTORS   to other code
    resets MICROSECONDS                        the chip
    deaf MICROSECONDS                          it has no buffer out for the host's transfer
    faults MICROSECONDS PROGRAM-COUNTER ADDRESS
"""

import collections
import ctypes
import struct
import sys

from unicorn import UC_ARCH_ARM, UC_MODE_MCLASS, UC_MODE_THUMB, UC_PROT_EXEC, UC_PROT_READ, Uc, UcError
from unicorn import UC_HOOK_CODE, UC_HOOK_INTR, UC_HOOK_MEM_INVALID
from unicorn import arm_const as arm

# Where the loaders have what is replaced or watched. Observed in the two images whose SHA-256
# the board file names; any other image would need its own.
Image = collections.namedtuple(
    "Image", "load poll spin device_event hid_event usb_init usb_run usb_stop send receive jumps"
)
IMAGES = {
    "sbl": Image(
        load=0x20001000, poll=0x20005AD8, spin=0x200036F4, device_event=0x20005DA8,
        hid_event=0x2000373C, usb_init=0x20003538, usb_run=0x20007148, usb_stop=0x2000773C,
        send=0x2000763A, receive=0x20007670,
        jumps=((0x200058C2, arm.UC_ARM_REG_R5), (0x200050DA, arm.UC_ARM_REG_R3)),
    ),
    "flashloader": Image(
        load=0x20001C00, poll=0x2000F114, spin=0x200037F8, device_event=0x2000F3E4,
        hid_event=0x20003840, usb_init=0x2000363C, usb_run=0x200126D0, usb_stop=0x20012CC4,
        send=0x20012BC2, receive=0x20012BF8,
        jumps=((0x2000E182, arm.UC_ARM_REG_R3),),
    ),
}
ENTRY = 0x20002400

FLASH, FLASH_SIZE, SECTOR = 0x60000000, 0x1000000, 0x1000
RAMS = ((0, 0x20000), (0x20000000, 0x20000), (0x20200000, 0xC0000))
ROM, ROM_SIZE = 0x00200000, 0x1000
# Inside what stands for the ROM: a parameter for callbacks, and where calls from outside return.
PARAMETER, RETURN = ROM + 0x800, ROM + 0xF00
# The ROM's table of drivers, and in it the flash driver; offsets of its functions.
ROM_TREE, ROM_DRIVER, ROM_STUBS = ROM + 0x100, ROM + 0x180, ROM + 0x200
ROM_OFFSETS = {"init": 4, "program": 8, "erase_all": 0xC, "erase": 0x10, "read": 0x14,
               "clear_cache": 0x18, "get_config": 0x24}
# The same functions, linked into the flashloader.
LINKED = {"init": 0x2001493A, "program": 0x20014962, "erase_all": 0x20014A26, "erase": 0x20014DAA,
          "read": 0x20014E30, "clear_cache": 0x200152B8, "get_config": 0x2000C398}
BX_LR = b"\x70\x47"

CCM_ANALOG, PLLS = 0x400D8000, (0x00, 0x10, 0x20, 0x30, 0x70, 0xA0, 0xE0)
PIT_HIGH, PIT_LOW = 0x400840E0, 0x400840E4
WAKEUP = 0x400C0000
AIRCR, VTOR = 0xE000ED0C, 0xE000ED08
OCOTP = 0x401F4000
OCOTP_KEY = 0x3E77
CONFIGURED, RECEIVED, SENT = 9, 2, 1  # events of NXP's USB stack
TICKS = 66  # of the timer per microsecond, at the rate the loaders set up
STEP = 50  # microseconds that pass with each look at the timer or for a host
LIMIT = 20_000_000  # microseconds of real time for one answer


class Machine:
    """One RT1062; `flash` and `fuses` outlive a start."""

    def __init__(self):
        self.flash = ctypes.create_string_buffer(b"\xff" * FLASH_SIZE, FLASH_SIZE)
        self.fuses = [0] * 64
        self.found = bytes(512)
        self.failure = 0
        self.pin = 1

    # --- power and what the loader touches

    def start(self, name, code):
        self.image = IMAGES[name]
        self.registers = {}
        self.now = self.until = 0
        self.events = collections.deque()
        self.said = []
        self.armed = None
        self.left = None
        self.resumed = False
        self.pc = ENTRY
        uc = self.uc = Uc(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS)
        uc.ctl_set_cpu_model(arm.UC_CPU_ARM_CORTEX_M7)
        for base, size in (*RAMS, (ROM, ROM_SIZE)):
            uc.mem_map(base, size)
        uc.mem_map_ptr(FLASH, FLASH_SIZE, UC_PROT_READ | UC_PROT_EXEC, ctypes.addressof(self.flash))
        for base, size in ((0x40000000, 0x2300000), (0xE0000000, 0x100000)):
            uc.mmio_map(base, size, self.load, base, self.store, base)
        uc.hook_add(UC_HOOK_MEM_INVALID, self.on_invalid)
        uc.hook_add(UC_HOOK_INTR, self.on_exception)
        uc.mem_write(self.image.load, code)
        uc.mem_write(RETURN, BX_LR)
        self.place_drivers(name)
        self.stub(self.image.usb_init, lambda *_: 0)
        self.stub(self.image.usb_run, lambda *_: 0)
        self.stub(self.image.usb_stop, lambda *_: 0)
        self.stub(self.image.send, self.usb_send)
        self.stub(self.image.receive, self.usb_receive)
        for address, hook in ((self.image.poll, self.on_poll), (self.image.spin, self.on_spin)):
            uc.hook_add(UC_HOOK_CODE, hook, None, address, address)
        for address, register in self.image.jumps:
            uc.hook_add(UC_HOOK_CODE, self.on_jump, register, address, address)
        return self.go()

    def place_drivers(self, name):
        functions = {key: getattr(self, "flash_" + key) for key in LINKED}
        if name == "flashloader":
            for key, function in functions.items():
                self.stub(LINKED[key], function)
            return
        self.put(ROM + 0x1C, ROM_TREE)
        self.put(ROM_TREE + 0x10, ROM_DRIVER)
        for index, (key, function) in enumerate(functions.items()):
            self.put(ROM_DRIVER + ROM_OFFSETS[key], ROM_STUBS + 4 * index + 1)
            self.stub(ROM_STUBS + 4 * index, function)

    def stub(self, address, function):
        """Lets a function of the loader return at once what one of ours returns."""

        def called(uc, *_):
            arguments = [uc.reg_read(register) for register in (
                arm.UC_ARM_REG_R0, arm.UC_ARM_REG_R1, arm.UC_ARM_REG_R2, arm.UC_ARM_REG_R3)]
            stack = uc.reg_read(arm.UC_ARM_REG_SP)
            uc.reg_write(arm.UC_ARM_REG_R0, function(*arguments, stack) & 0xFFFFFFFF)

        self.uc.mem_write(address, BX_LR)
        self.uc.hook_add(UC_HOOK_CODE, called, None, address, address)

    def put(self, address, word):
        self.uc.mem_write(address, struct.pack("<I", word))

    def get(self, address):
        return struct.unpack("<I", self.uc.mem_read(address, 4))[0]

    # --- registers

    def load(self, uc, offset, size, base):
        address = base + offset
        word = address & ~3
        if word in (PIT_HIGH, PIT_LOW):
            if word == PIT_HIGH:
                self.now += STEP
            ticks = self.now * TICKS
            value = ~(ticks >> 32 if word == PIT_HIGH else ticks) & 0xFFFFFFFF
        elif word == WAKEUP:
            value = self.pin
        elif OCOTP + 0x400 <= word < OCOTP + 0x900:
            value = self.fuses[self.fuse_at(word)]
        else:
            value = self.registers.get(word, 0)
        if CCM_ANALOG <= word < CCM_ANALOG + 0x100 and word - CCM_ANALOG in PLLS:
            value |= 1 << 31  # locked
        return value >> 8 * (address & 3) & (1 << 8 * size) - 1

    def store(self, uc, offset, size, value, base):
        address = base + offset
        word = address & ~3
        mask = (1 << 8 * size) - 1 << 8 * (address & 3)
        value = value << 8 * (address & 3) & mask
        sets = CCM_ANALOG <= word < CCM_ANALOG + 0x2000 or word - OCOTP in (4, 8, 12)
        if sets and word & 0xF:
            kept = self.registers.get(word & ~0xF, 0)
            changed = (kept | value, kept & ~value, kept ^ value)[(word >> 2 & 3) - 1]
            self.registers[word & ~0xF] = changed
        else:
            self.registers[word] = self.registers.get(word, 0) & ~mask | value
        if word == OCOTP + 0x20:
            control = self.registers.get(OCOTP, 0)
            if control >> 16 == OCOTP_KEY:
                self.fuses[control & 0x3F] |= value
                self.registers[OCOTP] = control & 0xFFFF
        elif word == OCOTP + 0x30 and value & 1:
            self.registers[OCOTP + 0x40] = self.fuses[self.registers.get(OCOTP, 0) & 0x3F]
        elif word == AIRCR and value >> 16 == 0x5FA and value & 4:
            self.left = "resets", ()
            uc.emu_stop()

    @staticmethod
    def fuse_at(word):
        """The fuse word behind a shadow register; there is a gap in their addresses."""
        index = word - OCOTP - 0x400 >> 4
        return index if index < 0x30 else index - 0x10 if 0x40 <= index else 0

    # --- the driver of the flash

    def flash_init(self, *_):
        return self.failure

    def flash_get_config(self, instance, config, *_):
        self.uc.mem_write(config, self.found)
        return 0

    def flash_program(self, instance, config, to, source, *_):
        data = self.uc.mem_read(source, struct.unpack_from("<I", self.found, 0x1C0)[0])
        old = self.flash[to:to + len(data)]
        self.write(to, bytes(a & b for a, b in zip(old, data)))
        return 0

    def flash_erase(self, instance, config, start, size, *_):
        first, last = start // SECTOR * SECTOR, -(-(start + size) // SECTOR) * SECTOR
        if last > FLASH_SIZE:
            return 4
        self.write(first, b"\xff" * (last - first))
        return 0

    def flash_erase_all(self, *_):
        self.write(0, b"\xff" * FLASH_SIZE)
        return 0

    def flash_read(self, instance, config, to, start, stack):
        size = self.get(stack)
        if start + size > FLASH_SIZE:
            return 4
        self.uc.mem_write(to, self.flash[start:start + size])
        return 0

    def flash_clear_cache(self, *_):
        return 0

    def write(self, offset, data):
        ctypes.memmove(ctypes.addressof(self.flash) + offset, data, len(data))

    # --- USB

    def usb_send(self, handle, endpoint, data, size, *_):
        self.said.append(bytes(self.uc.mem_read(data, size)).hex())
        self.events.append((self.image.hid_event, SENT, struct.pack("<III", data, size, 0)))
        return 0

    def usb_receive(self, handle, endpoint, data, size, *_):
        self.armed = data, size
        return 0

    def configure(self):
        self.events.append((self.image.device_event, CONFIGURED, b"\x01"))
        return self.go()

    def out(self, report):
        if self.armed is None:
            return self.tell("deaf")
        data, size = self.armed
        self.armed = None
        report = report[:size]
        self.uc.mem_write(data, report)
        message = struct.pack("<III", data, len(report), 0)
        self.events.append((self.image.hid_event, RECEIVED, message))
        return self.go()

    # --- running

    def on_poll(self, uc, *_):
        self.now += STEP
        if self.events or self.now >= self.until:
            self.stop_before(self.image.poll)

    def on_spin(self, uc, *_):
        if self.get(uc.reg_read(arm.UC_ARM_REG_R4)):
            self.stop_before(self.image.spin)

    def stop_before(self, address):
        """Stops before an instruction, unless it is the one that is resumed at."""
        if self.resumed:
            self.resumed = False
        else:
            self.pc = address
            self.uc.emu_stop()

    def on_jump(self, uc, address, size, register):
        read = uc.reg_read
        place = read(register), read(arm.UC_ARM_REG_MSP), self.registers.get(VTOR, 0)
        self.left = "jumps", place
        uc.emu_stop()

    def on_invalid(self, uc, access, address, *_):
        self.left = "faults", (uc.reg_read(arm.UC_ARM_REG_PC), address)
        return False

    def on_exception(self, uc, number, _):
        self.left = "faults", (uc.reg_read(arm.UC_ARM_REG_PC), number)
        uc.emu_stop()

    def go(self):
        """Runs until the loader waits for the host, for time to pass, or is gone."""
        while self.left is None:
            while self.events and self.pc != ENTRY:
                self.call(*self.events.popleft())
            self.resumed = self.pc != ENTRY
            at, self.pc = self.pc, None
            try:
                self.uc.emu_start(at | 1, 0xFFFFFFFE, timeout=LIMIT)
            except UcError as error:
                if self.left is None:
                    self.left = "faults", (self.uc.reg_read(arm.UC_ARM_REG_PC), error.errno)
            if self.left is None and self.pc is None:
                self.left = "faults", (self.uc.reg_read(arm.UC_ARM_REG_PC), 0)
            if self.left is None and not self.events:
                break
        return self.tell(*(self.left or ("waits", ())))

    def call(self, function, event, parameter):
        """An interrupt: a callback of the loader's runs between two instructions."""
        uc = self.uc
        saved = uc.context_save()
        uc.mem_write(PARAMETER, parameter)
        for register, value in ((arm.UC_ARM_REG_R0, 1), (arm.UC_ARM_REG_R1, event),
                                (arm.UC_ARM_REG_R2, PARAMETER), (arm.UC_ARM_REG_LR, RETURN | 1)):
            uc.reg_write(register, value)
        uc.emu_start(function | 1, RETURN, timeout=LIMIT)
        uc.context_restore(saved)

    def run(self, milliseconds):
        self.until = milliseconds * 1000
        answer = self.go()
        self.now = max(self.now, self.until)
        return answer

    def tell(self, what, numbers=()):
        said, self.said = self.said, []
        return " ".join([what, str(self.now), *map(str, numbers), *said])

    # --- questions

    def ask(self, word, *rest):
        if word == "place":
            self.write(int(rest[0]), bytes.fromhex(rest[1]))
        elif word == "blank":
            self.write(0, b"\xff" * FLASH_SIZE)
        elif word == "sectors":
            sectors = ((at, self.flash[at:at + SECTOR]) for at in range(0, FLASH_SIZE, SECTOR))
            blank = b"\xff" * SECTOR
            return " ".join(f"{at} {data.hex()}" for at, data in sectors if data != blank)
        elif word == "fuse":
            self.fuses[int(rest[0])] = int(rest[1])
        elif word == "fuses":
            return " ".join(map(str, self.fuses))
        elif word == "found":
            self.found = bytes.fromhex(rest[0])
        elif word == "fails":
            self.failure = int(rest[0])
        elif word == "pin":
            self.pin = int(rest[0])
        elif word == "start":
            return self.start(rest[0], bytes.fromhex(rest[1]))
        elif word == "run":
            return self.run(int(rest[0]))
        elif word == "configure":
            return self.configure()
        elif word == "out":
            return self.out(bytes.fromhex(rest[0] if rest else ""))
        else:
            raise ValueError(f"no question: {word}")
        return ""


def main():
    machine = Machine()
    for line in sys.stdin:
        print(machine.ask(*line.split()), flush=True)


if __name__ == "__main__":
    main()
