#!/usr/bin/env python3
"""Writes the pictures of this folder: a drawn one, as PNG and JPEG, and what Pillow (9.4) makes of it by the steps of torchvision's transforms."""
import math
import random

from PIL import Image, ImageDraw

WIDTH, HEIGHT = 61, 47


def draw():
    rng = random.Random(1)
    image = Image.new("RGB", (WIDTH, HEIGHT))
    for y in range(HEIGHT):
        for x in range(WIDTH):
            wave = int(60 * math.sin(x / 5) * math.cos(y / 7))
            image.putpixel((x, y), (x * 4 + rng.randrange(9), 128 + wave, 255 - y * 5))
    pen = ImageDraw.Draw(image)
    pen.rectangle((8, 6, 27, 30), fill=(255, 255, 255))
    pen.ellipse((30, 12, 55, 40), fill=(0, 0, 0), outline=(255, 0, 0))
    pen.line((0, 46, 60, 0), fill=(0, 255, 0))
    return image


def center(image, size):
    short = round(size * 8 / 7)
    w, h = image.size
    new = (short, int(short * h / w)) if w <= h else (int(short * w / h), short)
    image = image.resize(new, Image.BILINEAR)
    left, top = round((new[0] - size) / 2), round((new[1] - size) / 2)
    return image.crop((left, top, left + size, top + size))


picture = draw()
picture.save("picture.png")
picture.save("picture.jpg", quality=92, subsampling=2)
picture.save("progressive.jpg", quality=92, progressive=True)
Image.open("picture.jpg").convert("RGB").save("picture-jpg.png")
picture.convert("L").save("gray.jpg", quality=92)
picture.convert("CMYK").save("cmyk.jpg", quality=92)
for name, box, size in (("smaller", (0, 0, WIDTH, HEIGHT), (24, 17)), ("larger", (0, 0, WIDTH, HEIGHT), (90, 77)), ("part", (5, 3, 22, 46), (32, 20))):
    picture.crop(box).resize(size, Image.BILINEAR).save(f"{name}.png")
center(picture, 32).save("center-32.png")
center(picture.transpose(Image.TRANSPOSE), 32).save("center-32-upright.png")
