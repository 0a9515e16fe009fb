"""Pictures of every kind, and the SHA-256 of what Pillow 9.4 makes of them (expected.tsv).

A line of expected.tsv is the file, its mode, the size of the shorter side (or squash), the filter, and
the digest of the middle 24x24 pixels as [channel][row][column]; without size and filter, of all
pixels as [row][column][channel].
"""
import glob
import hashlib
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms

W, H, SIDE = 37, 29, 24
random = np.random.RandomState(3)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(name, depth, color, rows):
    header = struct.pack(">IIBBBBB", W, H, depth, color, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    with open(name, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b""))


def gray(depth):
    for row in random.randint(0, 1 << depth, (H, W)):
        bits = "".join(format(value, f"0{depth}b") for value in row)
        bits += "0" * (-len(bits) % 8)
        yield int(bits, 2).to_bytes(len(bits) // 8, "big")


def patched(source, target, change):
    data = bytearray(open(source, "rb").read())
    with open(target, "wb") as file:
        file.write(bytes(change(data)))


def without_jfif(data):
    return data[:2] + data[4 + data[4] * 256 + data[5] :]


def named(data):
    data = without_jfif(data)
    frame, scan = data.find(b"\xff\xc0"), data.find(b"\xff\xda")
    for i, letter in enumerate(b"RGB"):
        data[frame + 10 + 3 * i] = data[scan + 5 + 2 * i] = letter
    return data


def ycck(data):
    data[data.find(b"Adobe") + 11] = 2
    return data


def adobe(data):
    data = without_jfif(data)
    return data[:2] + b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00" + data[2:]


y, x = np.mgrid[0:H, 0:W]
waves = [127 + 100 * np.sin(x / (3 + c) + c) * np.cos(y / (5 - c)) for c in range(4)]
pixels = np.clip(np.stack(waves, -1) + random.randint(-20, 21, (H, W, 4)), 0, 255).astype(np.uint8)
rgb, rgba = Image.fromarray(pixels[:, :, :3].copy()), Image.fromarray(pixels)
turned = Image.Exif()
turned[0x112] = 6

rgb.save("420.jpg", quality=90)
rgb.save("422.jpg", quality=80, subsampling=1)
rgb.save("444.jpg", quality=90, subsampling=0)
rgb.save("progressive.jpg", progressive=True)
rgb.save("profile.jpg", icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
rgb.save("turned.jpg", exif=turned)
rgb.convert("L").save("gray.jpg")
rgb.convert("CMYK").save("cmyk.jpg")
patched("cmyk.jpg", "ycck.jpg", ycck)
patched("444.jpg", "named.jpg", named)
patched("444.jpg", "adobe.jpg", adobe)
patched("420.jpg", "plain.jpg", without_jfif)
rgb.save("rgb.png")
rgb.save("key.png", transparency=tuple(int(v) for v in pixels[0, 0, :3]))
rgba.save("rgba.png")
rgba.convert("LA").save("la.png")
rgb.convert("1").save("1.png")
rgb.quantize(12).save("palette.png")
png("2.png", 2, 0, gray(2))
png("4.png", 4, 0, gray(4))
png("rgb16.png", 16, 2, (row.astype(">u2").tobytes() for row in random.randint(0, 65536, (H, 3 * W))))
rgb.save("rgb.bmp")
rgb.quantize(60).save("palette.gif")


def cut(image, size, resample):
    """torchvision's Resize and CenterCrop."""
    w, h = image.size
    if size == "squash":
        return image.resize((SIDE, SIDE), resample)
    short, long = min(w, h), max(w, h)
    if short != size:
        longer = int(size * long / short)
        image = image.resize((size, longer) if w <= h else (longer, size), resample)
    w, h = image.size
    left, top = int(round((w - SIDE) / 2.0)), int(round((h - SIDE) / 2.0))
    return image.crop((left, top, left + SIDE, top + SIDE))


with open("expected.tsv", "w") as expected:
    for name in sorted(sum((glob.glob("*." + kind) for kind in ("jpg", "png", "bmp", "gif")), [])):
        for mode in "RGB", "L":
            image = Image.open(name).convert("RGB").convert(mode)
            print(name, mode, hashlib.sha256(np.array(image).tobytes()).hexdigest(), sep="\t", file=expected)
            if name not in ("444.jpg", "gray.jpg", "rgba.png"):
                continue
            for size in SIDE, 27, H, 70, "squash":
                for filter in "bilinear", "bicubic":
                    planes = np.array(cut(image, size, getattr(Image, filter.upper())))
                    planes = planes if mode == "L" else planes.transpose(2, 0, 1)
                    digest = hashlib.sha256(np.ascontiguousarray(planes).tobytes()).hexdigest()
                    print(name, mode, size, filter, digest, sep="\t", file=expected)
