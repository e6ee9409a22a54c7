# Turns a terminal's text with its colours (tmux capture-pane -e -p) into an SVG.
#   python3 screen_svg.py COLUMNS < CAPTURED > SCREEN.svg
# Only letters are left to the reader's fonts. Braille dots, blocks and box lines are drawn, because fonts differ in them:
# a chart would fall apart where one of its characters comes from another font than the next.
import re
import sys
from html import escape

CELL_W, CELL_H, PAD = 8, 17, 12
BASELINE = 13
BACKGROUND, FOREGROUND = "#14171c", "#d5dae2"
NORMAL = ["#3b4252", "#e5716f", "#7fc07a", "#e0b45c", "#6ea3e8", "#c58be0", "#5cc3cf", "#d5dae2"]
BRIGHT = ["#7d8799", "#f29391", "#a0dc9b", "#f2cd83", "#95bff5", "#dbaef0", "#85dde7", "#ffffff"]

# Parts of a cell's middle that a box character joins: left, right, up, down.
BOX = {"─": "lr", "│": "ud", "┌": "rd", "┐": "ld", "└": "ru", "┘": "lu", "├": "udr", "┤": "udl", "┬": "lrd", "┴": "lru",
       "┼": "lrud", "╭": "rd", "╮": "ld", "╰": "ru", "╯": "lu", "╴": "l", "╶": "r", "╵": "u", "╷": "d", "━": "lr", "┃": "ud"}
# Eighths of a cell, from below or from the left.
LOWER = {mark: eighths for eighths, mark in enumerate("▁▂▃▄▅▆▇█", 1)}
LEFT = {mark: 8 - eighths for eighths, mark in enumerate("▉▊▋▌▍▎▏", 1)}
# Bits of a braille character: column and row of its dot.
DOTS = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)]


def palette(number):
    if number < 8:
        return NORMAL[number]
    if number < 16:
        return BRIGHT[number - 8]
    if number < 232:
        steps = [0, 95, 135, 175, 215, 255]
        number -= 16
        return "#%02x%02x%02x" % (steps[number // 36], steps[number // 6 % 6], steps[number % 6])
    return "#%02x%02x%02x" % ((8 + 10 * (number - 232),) * 3)


class Style:
    def __init__(self):
        self.fore, self.back, self.bold, self.dim, self.reverse = None, None, False, False, False

    def apply(self, codes):
        codes = [int(code or 0) for code in codes.split(";")]
        while codes:
            code = codes.pop(0)
            if code == 0:
                self.__init__()
            elif code in (1, 2, 7):
                setattr(self, {1: "bold", 2: "dim", 7: "reverse"}[code], True)
            elif code == 22:
                self.bold = self.dim = False
            elif code == 27:
                self.reverse = False
            elif code in (38, 48):
                kind = codes.pop(0)
                if kind == 5:
                    colour = palette(codes.pop(0))
                else:
                    colour = "#%02x%02x%02x" % tuple(codes[:3])
                    del codes[:3]
                setattr(self, "fore" if code == 38 else "back", colour)
            elif code in (39, 49):
                setattr(self, "fore" if code == 39 else "back", None)
            elif 30 <= code <= 37 or 90 <= code <= 97:
                self.fore = palette(code - 30 if code < 90 else code - 82)
            elif 40 <= code <= 47 or 100 <= code <= 107:
                self.back = palette(code - 40 if code < 100 else code - 92)

    def seen(self):
        fore, back = self.fore or FOREGROUND, self.back
        if self.reverse:
            fore, back = back or BACKGROUND, fore
        return fore, back, self.bold, self.dim


def cells(line):
    style, found = Style(), []
    for escape_code, character in re.findall(r"\x1b\[([0-9;]*)m|([^\x1b\x0e\x0f])", line):
        if character:
            found.append((character, style.seen()))
        else:
            style.apply(escape_code)
    return found


def drawn(character, x, y):
    """The path of a character that is drawn, or None."""
    def box(left, top, width, height):
        return f"M{left:g} {top:g}h{width:g}v{height:g}h{-width:g}z"
    if "\u2800" <= character <= "\u28ff":
        bits = ord(character) - 0x2800
        return "".join(box(x + 1 + 4 * column, y + 1.1 + 4.1 * row, 2.2, 2.2)
                       for bit, (column, row) in enumerate(DOTS) if bits >> bit & 1)
    if character in LOWER:
        height = CELL_H * LOWER[character] / 8
        return box(x, y + CELL_H - height, CELL_W, height)
    if character in LEFT:
        return box(x, y, CELL_W * LEFT[character] / 8, CELL_H)
    if character in BOX:
        thick = 2.2 if character in "━┃" else 1.1
        middle_x, middle_y = x + CELL_W / 2, y + CELL_H / 2
        half = thick / 2
        parts = {"l": box(x, middle_y - half, CELL_W / 2 + half, thick), "r": box(middle_x - half, middle_y - half, CELL_W / 2 + half, thick),
                 "u": box(middle_x - half, y, thick, CELL_H / 2 + half), "d": box(middle_x - half, middle_y - half, thick, CELL_H / 2 + half)}
        return "".join(parts[part] for part in BOX[character])
    return None


columns = int(sys.argv[1])
lines = [cells(line) for line in sys.stdin.read().rstrip("\n").split("\n")]
width, height = columns * CELL_W + 2 * PAD, len(lines) * CELL_H + 2 * PAD
backs, paths, texts = [], {}, []
for row, line in enumerate(lines):
    y = PAD + row * CELL_H
    at = 0
    while at < len(line):
        style = line[at][1]
        end = at
        while end < len(line) and line[end][1] == style:
            end += 1
        fore, back, bold, dim = style
        look = (fore, dim)
        if back:
            backs.append(f'<rect x="{PAD + at * CELL_W}" y="{y}" width="{(end - at) * CELL_W}" height="{CELL_H}" fill="{back}"/>')
        text = ""
        for place in range(at, end):
            path = drawn(line[place][0], PAD + place * CELL_W, y)
            if path is not None:
                paths[look] = paths.get(look, "") + path
            text += " " if path is not None else line[place][0]
        # A word at a time: each begins at its own column, whatever the font's width is.
        for word in re.finditer(r"\S+( \S+)*", text):
            x = PAD + (at + word.start()) * CELL_W
            length = (word.end() - word.start()) * CELL_W
            more = (' font-weight="bold"' if bold else "") + (' opacity="0.65"' if dim else "")
            texts.append(f'<text x="{x}" y="{y + BASELINE}" textLength="{length}" fill="{fore}"{more}>{escape(word.group())}</text>')
        at = end
print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
      'font-family="ui-monospace,\'DejaVu Sans Mono\',Menlo,Consolas,monospace" font-size="13">')
print(f'<rect width="{width}" height="{height}" rx="8" fill="{BACKGROUND}"/>')
print("\n".join(backs))
for (fore, dim), path in paths.items():
    print(f'<path d="{path}" fill="{fore}"{" opacity=" + chr(34) + "0.65" + chr(34) if dim else ""}/>')
print("\n".join(texts))
print("</svg>")
