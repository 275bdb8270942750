"""Images with captions to pretrain the mini backbone on, drawn from the same factors as the benchmark.

Never the same images: the random number generators have other names, the wear is milder, and of the real digits only the training
pool is used. Captions mention one to four factors in varied wording; some of the benchmark's class names never occur.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from promptatlas.base.rng import named_rng
from promptatlas.tasks.mini import aerial, canvas, counting, faces, glyphs, objects, roads, signs, tissue, words
from promptatlas.tasks.mini.images import Factors
from promptatlas.tasks.mini.outlines import FINE_SHAPES, SHAPES
from promptatlas.tasks.mini.textures import TEXTURES, draw_texture

Made = Callable[[np.random.Generator], Factors]
CAPTIONS_PER_IMAGE = 3
PREFIXES = ("", "", "a photo of", "a picture of", "a drawing of", "an image of", "this is", "a small picture of")
DIGIT_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SYNONYMS = {
    "circle": ("circle", "circle", "round disc"),
    "square": ("square", "square", "box"),
    "star": ("star", "star", "five-pointed star"),
    "cross": ("cross", "cross", "plus sign"),
    "crescent": ("crescent", "crescent", "moon"),
    "diamond": ("diamond", "diamond", "rhombus"),
    "ring": ("ring", "ring", "round ring"),
    "polka dots": ("polka dots", "dots"),
    "checkerboard": ("checkerboard", "a checkerboard pattern", "checks"),
    "noise": ("noise", "random noise", "speckles"),
    "grid": ("a grid", "grid lines"),
    "concentric rings": ("concentric rings", "rings"),
    "top": ("top", "upper edge"),
    "bottom": ("bottom", "lower edge"),
    "grey": ("grey", "gray"),
}
LAND = {
    "forest": ("forest", "trees", "a dense forest"),
    "field": ("crop land", "fields of crops", "a farm field"),
    "pasture": ("pasture", "a meadow", "grass land"),
    "road": ("a road", "a highway"),
    "houses": ("houses", "a residential area", "homes"),
    "factory": ("industrial buildings", "a factory", "large halls"),
    "river": ("a river", "a winding river"),
    "lake": ("a lake", "open water", "the sea"),
    "beach": ("a beach", "sand and sea", "the coast"),
    "airport": ("an airport", "an airport runway"),
    "stadium": ("a stadium", "a sports field"),
    "parking": ("a parking lot", "rows of parked cars"),
    "island": ("an island", "an island in the sea"),
    "roundabout": ("a roundabout", "a road junction"),
    "desert": ("a desert", "sand dunes"),
}
SIGN_LOOKS = {
    "stop": ("a red octagon sign",),
    "yield": ("a triangle sign pointing down", "a give way sign"),
    "no entry": ("a red round sign with a white bar",),
    "no vehicles": ("an empty white round sign with a red rim",),
    "speed limit 30": ("a round sign with the number 30", "a speed limit sign"),
    "speed limit 80": ("a round sign with the number 80", "a speed limit sign"),
    "priority road": ("a yellow diamond sign",),
    "general caution": ("a triangle sign with an exclamation mark", "a warning sign"),
    "crossroads": ("a triangle sign with a cross", "a warning sign"),
    "ahead only": ("a blue round sign with an arrow pointing up",),
    "turn right": ("a blue round sign with an arrow pointing right",),
    "turn left": ("a blue round sign with an arrow pointing left",),
}


@dataclass(frozen=True)
class Source:
    """A kind of image: how often it comes, how its factors are chosen, how it is drawn and described."""

    weight: float
    factors: Made
    draw: Callable[[Factors, np.random.Generator], np.ndarray]
    describe: Callable[[Factors, np.random.Generator], str]


def captioned_image(seed: int, number: int) -> tuple[np.ndarray, list[str]]:
    """Pretraining image `number` (32, 32, 3) uint8 and a few captions that are all true of it."""
    rng = named_rng("pretraining", seed, number)
    source = SOURCES[rng.choice(len(SOURCES), p=_SHARES)]
    factors = source.factors(rng)
    image = source.draw(factors, rng)
    return image, [_prefixed(source.describe(factors, rng), rng) for _ in range(CAPTIONS_PER_IMAGE)]


def _prefixed(phrase: str, rng: np.random.Generator) -> str:
    return f"{rng.choice(PREFIXES)} {phrase}".strip() + str(rng.choice(["", "", "."]))


def _pick(rng: np.random.Generator, options: Sequence[str]) -> str:
    return str(options[int(rng.integers(len(options)))])


def _word(rng: np.random.Generator, name: str) -> str:
    return _pick(rng, SYNONYMS.get(name, (name,)))


def _hard(rng: np.random.Generator) -> float:
    return rng.uniform(0.0, 0.8)


def _a(phrase: str) -> str:
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def _object(shapes: Sequence[str], textured: float, placed: float) -> Made:
    def factors(rng: np.random.Generator) -> Factors:
        small = rng.random() < placed
        return {
            "shape": _pick(rng, shapes),
            "colour": _pick(rng, list(canvas.COLOURS)),
            "texture": _pick(rng, TEXTURES) if rng.random() < textured else "plain",
            "place": _pick(rng, list(objects.PLACES)) if small else "anywhere",
            "size": "small" if small else "large",
            "hard": _hard(rng),
        }

    return factors


def _describe_object(factors: Factors, rng: np.random.Generator) -> str:
    textured, placed = factors["texture"] != "plain", factors["place"] != "anywhere"
    named = rng.random() < 0.8
    noun = _word(rng, factors["shape"]) if named else _pick(rng, ("shape", "thing", "object"))
    if not named or rng.random() < 0.5:
        noun = f"{_word(rng, factors['colour'])} {noun}"
    if rng.random() < 0.25:
        noun = f"{factors['size']} {noun}"
    phrase = _a(noun)
    if textured and rng.random() < 0.85:
        phrase += _pick(rng, (" with {}", " with a pattern of {}", " filled with {}")).format(_texture(factors, rng))
    if placed and rng.random() < 0.9:
        phrase += _pick(rng, (" at the {}", " in the {}", " in the {} of the picture")).format(_place(factors, rng))
    return phrase


def _texture(factors: Factors, rng: np.random.Generator) -> str:
    return _word(rng, factors["texture"])


def _place(factors: Factors, rng: np.random.Generator) -> str:
    place = factors["place"]
    return _pick(rng, (place, f"{place} corner")) if " " in place else _word(rng, place)


def _full_texture(rng: np.random.Generator) -> Factors:
    return {"texture": _pick(rng, TEXTURES), "colour": _pick(rng, list(canvas.COLOURS)), "hard": _hard(rng)}


def _describe_texture(factors: Factors, rng: np.random.Generator) -> str:
    phrase = _texture(factors, rng)
    if rng.random() < 0.4 and not phrase.startswith("a "):
        phrase = f"{_word(rng, factors['colour'])} {phrase}"
    return _pick(rng, ("{}", "a surface with {}", "a texture of {}", "{} all over")).format(phrase)


def _dots(rng: np.random.Generator) -> Factors:
    return {"count": int(rng.integers(1, 7)), "colour": _pick(rng, list(canvas.COLOURS)), "hard": _hard(rng)}


def _count(number: int, rng: np.random.Generator) -> str:
    return DIGIT_WORDS[number] if rng.random() < 0.75 else str(number)


def _describe_dots(factors: Factors, rng: np.random.Generator) -> str:
    colour = f"{_word(rng, factors['colour'])} " if rng.random() < 0.5 else ""
    noun = _pick(rng, ("dot", "spot", "small circle")) + ("s" if factors["count"] > 1 else "")
    return f"{_count(factors['count'], rng)} {colour}{noun}"


def _scene(rng: np.random.Generator) -> Factors:
    return counting.random_scene(int(rng.integers(1, 7)), rng, _hard(rng))


def _describe_scene(factors: Factors, rng: np.random.Generator) -> str:
    if rng.random() < 0.4:
        noun = _pick(rng, ("shape", "object", "thing")) + ("s" if factors["count"] > 1 else "")
        return f"{_count(factors['count'], rng)} {noun}"
    order = rng.permutation(factors["count"])[: rng.integers(1, 4)]
    with_colour = rng.random() < 0.4
    named = [f"{factors['colours'][i]} {factors['shapes'][i]}" if with_colour else factors["shapes"][i] for i in order]
    return " and ".join(_a(name) for name in dict.fromkeys(named))


def _handwritten(rng: np.random.Generator) -> Factors:
    pool = glyphs.handwriting_splits()["train"]
    index = int(pool[rng.integers(len(pool))])
    return {"source": index, "glyph": str(glyphs.handwriting()[1][index]), "hard": 0.6 * _hard(rng)}


def _draw_handwritten(factors: Factors, rng: np.random.Generator) -> np.ndarray:
    side = int(rng.integers(22, 33))
    left, top = (int(v) for v in rng.integers(0, 33 - side, 2))
    ink = glyphs.enlarged(glyphs.handwriting()[0][factors["source"]], side, left, top)
    pen, page = np.ones(3), np.zeros(3)
    if rng.random() < 0.5:
        pen = canvas.colour(_pick(rng, list(canvas.COLOURS)), rng)
        page = canvas.paper(rng, pen, 0.6)
    return canvas.finish(canvas.mix(np.broadcast_to(page, (32, 32, 3)), ink, pen), rng, factors["hard"])


def _describe_digit(factors: Factors, rng: np.random.Generator) -> str:
    digit = factors["glyph"] if rng.random() < 0.65 else DIGIT_WORDS[int(factors["glyph"])]
    if "source" in factors:
        return _pick(rng, ("a handwritten {}", "the handwritten digit {}", "{} in handwriting")).format(digit)
    return _coloured(_pick(rng, ("the {}digit {}", "the {}number {}", "a {}printed {}")), digit, factors, rng)


def _describe_letter(factors: Factors, rng: np.random.Generator) -> str:
    forms = ("the {}letter {}", "a {}letter {}", "the {}capital letter {}", "a {}printed {}")
    return _coloured(_pick(rng, forms), factors["glyph"], factors, rng)


def _coloured(form: str, glyph: str, factors: Factors, rng: np.random.Generator) -> str:
    return form.format(f"{_word(rng, factors['colour'])} " if rng.random() < 0.35 else "", glyph)


def _describe_word(factors: Factors, rng: np.random.Generator) -> str:
    if rng.random() < 0.25:
        return f"a {factors['polarity']} word"
    return _pick(rng, ("the word {}", 'the word "{}"', "{} written in letters")).format(factors["word"])


def _describe_sign(factors: Factors, rng: np.random.Generator) -> str:
    if rng.random() < 0.55:
        return _pick(rng, ("a {} sign", 'a "{}" traffic sign', "a road sign: {}")).format(factors["sign"])
    return _pick(rng, SIGN_LOOKS[factors["sign"]])


def _describe_land(factors: Factors, rng: np.random.Generator) -> str:
    views = ("{} from above", "{} seen from the air", "a satellite image of {}", "an aerial view of {}", "{}")
    return _pick(rng, views).format(_pick(rng, LAND[factors["land"]]))


def _describe_tissue(factors: Factors, rng: np.random.Generator) -> str:
    if factors["tissue"] == "tumour":
        return _pick(rng, ("tumor cells", "tissue with a tumor", "large dark cells", "cancer under the microscope"))
    return _pick(rng, ("healthy cells", "healthy tissue", "small round cells", "a lymph node", "normal tissue"))


def _describe_face(factors: Factors, rng: np.random.Generator) -> str:
    noun = _pick(rng, ("face", "person", "cartoon face"))
    phrase = _a(f"{factors['expression']} {noun}") if rng.random() < 0.75 else _a(noun)
    if rng.random() < 0.5:
        phrase += _pick(rng, (" with glasses", " wearing glasses")) if factors["glasses"] else " without glasses"
    return phrase


def _describe_road(factors: Factors, rng: np.random.Generator) -> str:
    car = f"{factors['colour']} car" if rng.random() < 0.4 else "car"
    forms = {
        "side": (f"a {car} at the side of the road", f"a road with a {car} on the left or right"),
        "near": (f"a road with a {car} nearby", f"a large {car} on the road", f"a {car} in front"),
        "far": (f"a small {car} far away on the road", f"a road with a {car} in the distance"),
        "none": ("an empty road", "a road without cars", "a road with no car"),
    }
    return _pick(rng, forms[factors["distance"]])


def _colour_of_car(rng: np.random.Generator) -> str:
    return _pick(rng, ("red", "blue", "white", "black", "yellow", "green"))


def _road(rng: np.random.Generator) -> Factors:
    return {"distance": _pick(rng, list(roads.DISTANCES)), "colour": _colour_of_car(rng), "hard": _hard(rng)}


def _face(rng: np.random.Generator) -> Factors:
    mood = _pick(rng, faces.EXPRESSIONS)
    return {"expression": mood, "glasses": bool(rng.random() < 0.5), "hard": _hard(rng)}


def _one_of(key: str, options: Iterable[str]) -> Made:
    return lambda rng: {key: _pick(rng, list(options)), "hard": _hard(rng)}


SOURCES = (
    Source(14, _object(SHAPES, textured=0.0, placed=0.0), objects.draw_object, _describe_object),
    Source(10, _object(FINE_SHAPES, textured=0.0, placed=0.0), objects.draw_object, _describe_object),
    Source(7, _object(SHAPES, textured=1.0, placed=0.0), objects.draw_object, _describe_object),
    Source(7, _object(SHAPES, textured=0.0, placed=1.0), objects.draw_object, _describe_object),
    Source(6, _full_texture, draw_texture, _describe_texture),
    Source(6, _dots, counting.draw_dots, _describe_dots),
    Source(10, _scene, counting.draw_scene, _describe_scene),
    Source(5, _handwritten, _draw_handwritten, _describe_digit),
    Source(7, lambda rng: glyphs.some_glyph(_pick(rng, glyphs.DIGITS), rng, _hard(rng)), glyphs.draw_glyph, _describe_digit),
    Source(11, lambda rng: glyphs.some_glyph(_pick(rng, glyphs.LETTERS), rng, _hard(rng)), glyphs.draw_glyph, _describe_letter),
    Source(6, lambda rng: words.some_word(_pick(rng, list(words.WORDS)), rng, _hard(rng)), words.draw_word, _describe_word),
    Source(8, _one_of("sign", signs.SIGNS), signs.draw_sign, _describe_sign),
    Source(10, _one_of("land", LAND), aerial.draw_land, _describe_land),
    Source(4, _one_of("tissue", tissue.CLASS_NAMES), tissue.draw_tissue, _describe_tissue),
    Source(9, _face, faces.draw_face, _describe_face),
    Source(5, _road, roads.draw_road, _describe_road),
)
_SHARES = np.array([source.weight for source in SOURCES]) / sum(source.weight for source in SOURCES)
