#!/usr/bin/env python3
"""Writes the seed corpora of the data formats: tests/fuzz/corpus/FORMAT/*.

Every file is made here, byte by byte, from the formats' specifications; the
Python standard library is all it needs. Unit tests read some of them too, so
names are part of the contract. Run it from anywhere; it writes the same
bytes each time.
"""
import gzip
import io
import struct
import zipfile
import zlib
from pathlib import Path

CORPUS = Path(__file__).resolve().parent / "corpus"


def put(folder, name, data):
    path = CORPUS / folder
    path.mkdir(parents=True, exist_ok=True)
    assert len(data) < 4096, (folder, name, len(data))
    (path / name).write_bytes(data)


def noise(count, seed=1):
    """The bytes of a small linear generator, the same as in the tests."""
    out = bytearray()
    for _ in range(count):
        seed = (seed * 1664525 + 1013904223) & 0xFFFFFFFF
        out.append(seed >> 24)
    return bytes(out)


# IDX ------------------------------------------------------------------------


def idx(sizes, payload=None):
    count = 1
    for size in sizes:
        count *= size
    head = bytes([0, 0, 8, len(sizes)]) + b"".join(
        struct.pack(">I", size) for size in sizes
    )
    return head + (noise(count) if payload is None else payload)


def packed(data):
    return gzip.compress(data, mtime=0)


def make_idx():
    put("idx", "grey", idx([2, 3, 4]))
    put("idx", "rgb", idx([2, 3, 4, 3]))
    put("idx", "labels", idx([5], bytes([0, 1, 2, 1, 0])))
    put("idx", "truncated", idx([2, 3, 4])[:-1])
    put("idx", "trailing", idx([2, 3, 4]) + b"x")
    put("idx", "lying", idx([0x7FFFFFFF, 4096, 4096], b"x"))
    put("idx", "no-images", idx([0, 3, 4], b""))
    put("idx", "two-channels", idx([1, 2, 2, 2]))
    put("idx", "floats", bytes([0, 0, 0x0D, 1, 0, 0, 0, 1, 0, 0, 0, 0]))
    put("idx", "grey.gz", packed(idx([2, 3, 4])))
    put("idx", "members.gz", packed(idx([2, 3, 4])[:9]) + packed(idx([2, 3, 4])[9:]))
    put("idx", "bomb.gz", packed(bytes([0, 0, 8, 3, 0, 0, 0, 255]) + bytes(200000)))
    put("idx", "cut.gz", packed(idx([2, 3, 4]))[:-5])


# CIFAR ----------------------------------------------------------------------


def make_cifar():
    put("cifar", "one", bytes([7]) + noise(3072))
    put("cifar", "bad-label", bytes([10]) + noise(3072, 2))
    put("cifar", "short", bytes([7]) + noise(3000, 3))
    put("cifar", "long", bytes([7]) + noise(3073, 4))
    put("cifar", "meta.txt", b"airplane\nautomobile\nbird\n\n")
    put("cifar", "meta-bom.txt", b"\xef\xbb\xbfcat\r\nhund\xc3\xa9\r\n")
    put("cifar", "meta-twice.txt", b"cat\ndog\ncat\n")


# NPY, NPZ -------------------------------------------------------------------


def npy(descr, shape, payload, fortran=False, version=1, text=None):
    if text is None:
        text = "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }" % (
            descr,
            fortran,
            shape,
        )
    length = 2 if version == 1 else 4
    blank = -(8 + length + len(text) + 1) % 64
    text = text.encode() + b" " * blank + b"\n"
    head = b"\x93NUMPY" + bytes([version, 0])
    return head + len(text).to_bytes(length, "little") + text + payload


def npz(members, method):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return out.getvalue()


def make_npy():
    grey = npy("|u1", (2, 3, 4), noise(24))
    labels = npy("<i8", (2,), struct.pack("<2q", 0, 1))
    put("npy", "grey.npy", grey)
    put("npy", "rgb.npy", npy("|u1", (2, 3, 4, 3), noise(72)))
    put("npy", "labels.npy", labels)
    put("npy", "big-endian.npy", npy(">i2", (2, 1), struct.pack(">2h", 3, -1)))
    put("npy", "version2.npy", npy("<u4", (1,), struct.pack("<I", 9), version=2))
    put("npy", "fortran.npy", npy("|u1", (2, 3, 4), noise(24), fortran=True))
    put("npy", "floats.npy", npy("<f4", (2,), bytes(8)))
    put("npy", "truncated.npy", grey[:-1])
    put("npy", "lying.npy", npy("|u1", "(9223372036854775807, 2)", b""))
    put("npy", "open.npy", npy("", (), b"", text="{'descr': '|u1', 'shape': (2"))
    order = '{"shape":(2,),"descr":"|u1","fortran_order":False}'
    put("npy", "order.npy", npy("", (), b"ab", text=order))
    both = [("images.npy", grey), ("labels.npy", labels)]
    put("npy", "stored.npz", npz(both, zipfile.ZIP_STORED))
    put("npy", "packed.npz", npz(both, zipfile.ZIP_DEFLATED))
    damaged = bytearray(npz(both, zipfile.ZIP_STORED))
    damaged[180] ^= 0x40
    put("npy", "damaged.npz", bytes(damaged))
    lying = bytearray(npz(both, zipfile.ZIP_DEFLATED))
    entry = lying.index(b"PK\1\2") + 20
    lying[entry : entry + 8] = struct.pack("<II", 0xE0000000, 0xE3960000)
    put("npy", "lying.npz", bytes(lying))


# PNG ------------------------------------------------------------------------


def chunk(kind, data):
    return (
        struct.pack(">I", len(data))
        + kind
        + data
        + struct.pack(">I", zlib.crc32(kind + data))
    )


def png(width, height, depth, colour, rows, extra=b"", interlaced=0):
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + extra
        + chunk(b"IDAT", zlib.compress(rows, 9))
        + chunk(b"IEND", b"")
    )


def filtered(data, stride, kind=0):
    rows = [data[i : i + stride] for i in range(0, len(data), stride)]
    return b"".join(bytes([kind]) + row for row in rows)


def adam7(data, side):
    """The rows of a grey 8-bit picture in the order of interlaced passes."""
    out = b""
    for x0, y0, dx, dy in (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ):
        for y in range(y0, side, dy):
            row = bytes(data[y * side + x] for x in range(x0, side, dx))
            if row:
                out += b"\0" + row
    return out


def make_png():
    grey = png(5, 4, 8, 0, filtered(noise(20), 5))
    put("png", "grey.png", grey)
    put("png", "grey-interlaced.png", png(5, 5, 8, 0, adam7(noise(25), 5), b"", 1))
    put("png", "grey1.png", png(9, 2, 1, 0, filtered(b"\xaa\x80\x55\x00", 2)))
    put("png", "grey16.png", png(2, 2, 16, 0, filtered(noise(8), 4)))
    put("png", "rgb.png", png(5, 4, 8, 2, filtered(noise(60), 15)))
    put("png", "rgb-filter4.png", png(5, 4, 8, 2, filtered(noise(60), 15, 4)))
    put("png", "grey-alpha.png", png(2, 1, 8, 4, filtered(bytes([200, 255, 200, 51]), 4)))
    rgba = bytes([255, 100, 0, 255, 255, 100, 0, 0])
    put("png", "rgba.png", png(2, 1, 8, 6, filtered(rgba, 8)))
    palette = chunk(b"PLTE", bytes([9, 8, 7, 250, 251, 252]))
    clear = chunk(b"tRNS", bytes([255, 0]))
    put("png", "palette.png", png(2, 1, 8, 3, filtered(b"\0\1", 2), palette))
    put("png", "palette-clear.png", png(2, 1, 8, 3, filtered(b"\0\1", 2), palette + clear))
    put("png", "out-of-palette.png", png(2, 1, 8, 3, filtered(b"\0\7", 2), palette))
    put("png", "huge.png", png(60000, 60000, 8, 0, b"\0"))
    put("png", "truncated.png", grey[:-20])
    flipped = bytearray(grey)
    flipped[45] ^= 1
    put("png", "flipped.png", bytes(flipped))
    put("png", "short-data.png", png(5, 4, 8, 0, filtered(noise(10), 5)))
    text = chunk(b"tEXt", b"Title\0hello")
    put("png", "text.png", png(1, 1, 8, 0, b"\0\x7f", text))
    put("png", "bad-text.png", png(1, 1, 8, 0, b"\0\x7f", text[:-1] + b"!"))


# JPEG -----------------------------------------------------------------------


class Bits:
    """Entropy-coded bits, with the zero byte that must follow each 0xff."""

    def __init__(self):
        self.text = ""

    def put(self, value, count):
        self.text += format(value, "0%db" % count) if count else ""

    def bytes(self):
        text = self.text + "1" * (-len(self.text) % 8)
        raw = bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8))
        return raw.replace(b"\xff", b"\xff\0")


def segment(marker, data):
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def jpeg(width, height, blocks, progressive=False, adobe=None):
    """A JPEG of flat 8x8 blocks: `blocks` has, for each component, a level
    for each block in order. DC categories have 4-bit codes, and the only AC
    symbol is end-of-block, one bit."""
    parts = len(blocks)
    out = b"\xff\xd8"
    if adobe is None:
        out += segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
    else:
        out += segment(0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([adobe]))
    out += segment(0xDB, b"\0" + b"\1" * 64)
    frame = struct.pack(">BHHB", 8, height, width, parts)
    frame += b"".join(bytes([i + 1, 0x11, 0]) for i in range(parts))
    out += segment(0xC2 if progressive else 0xC0, frame)
    out += segment(0xC4, b"\0" + bytes([0, 0, 0, 12] + [0] * 12) + bytes(range(12)))
    out += segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\0")
    scan = bytes([parts]) + b"".join(bytes([i + 1, 0]) for i in range(parts))
    out += segment(0xDA, scan + (b"\0\0\0" if progressive else b"\0\x3f\0"))
    bits = Bits()
    last = [0] * parts
    for i in range(len(blocks[0])):
        for part in range(parts):
            level = 8 * (blocks[part][i] - 128)
            step = level - last[part]
            last[part] = level
            category = abs(step).bit_length()
            bits.put(category, 4)
            bits.put(step if step > 0 else step + (1 << category) - 1, category)
            if not progressive:
                bits.put(0, 1)
    return out + bits.bytes() + b"\xff\xd9"


def make_jpeg():
    grey = jpeg(16, 16, [[10, 200, 128, 77]])
    put("jpeg", "grey.jpg", grey)
    put("jpeg", "odd.jpg", jpeg(11, 3, [[10, 200]]))
    put("jpeg", "colour.jpg", jpeg(8, 8, [[100], [128], [200]]))
    put("jpeg", "rgb.jpg", jpeg(8, 8, [[100], [50], [200]], adobe=0))
    put("jpeg", "cmyk.jpg", jpeg(8, 8, [[100], [50], [200], [9]], adobe=0))
    put("jpeg", "progressive.jpg", jpeg(16, 16, [[10, 200, 128, 77]], True))
    put("jpeg", "truncated.jpg", grey[:-6])
    put("jpeg", "no-end.jpg", grey[:-2])
    put("jpeg", "huge.jpg", jpeg(65500, 65500, [[10]]))
    put("jpeg", "header-only.jpg", grey[:24])
    flipped = bytearray(grey)
    flipped[-8] ^= 0x20
    put("jpeg", "flipped.jpg", bytes(flipped))


if __name__ == "__main__":
    make_idx()
    make_cifar()
    make_npy()
    make_png()
    make_jpeg()
