"""Find speech in sound with Silero VAD: a recurrent model fed 32 ms at a time, its state carried along."""
import wave

import numpy as np

RATE = 16000  # samples a second
WINDOW, CONTEXT = 512, 64  # samples a step, and samples of the step before that the model sees again


def read_wav(path):
    """Mono f32 samples in -1..1 of a 16-bit wav file at 16 kHz."""
    with wave.open(str(path)) as file:
        if file.getframerate() != RATE or file.getsampwidth() != 2:
            raise ValueError(f"{path}: {file.getframerate()} Hz, {8 * file.getsampwidth()} bits; "
                             f"16-bit samples at {RATE} Hz are needed")
        samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        return samples.reshape(-1, file.getnchannels()).mean(1).astype(np.float32) / 32768


# The first formants of men's vowels in Hz (Peterson and Barney, 1952), and a fourth for colour.
VOWELS = {"a": (730, 1090, 2440, 3400), "i": (270, 2290, 3010, 3700), "u": (300, 870, 2240, 3300),
          "e": (530, 1840, 2480, 3500), "o": (570, 840, 2410, 3300)}


def resonate(x, frequency, width):
    """A two-pole resonator; `frequency` has a value a sample (Klatt's cascade synthesiser, 1980)."""
    radius = np.exp(-np.pi * width / RATE)
    b = 2 * radius * np.cos(2 * np.pi * frequency / RATE)
    c = -radius * radius
    y = np.zeros(len(x) + 2)
    for i, (v, b_i) in enumerate(zip((1 - b - c) * x, b)):
        y[i + 2] = v + b_i * y[i + 1] + c * y[i]
    return y[2:]


def say(vowels, random, pitch=120.0, seconds=0.16):
    """A babble of vowels between short fricatives: pulses with a wandering pitch through resonators."""
    count = int(seconds * RATE)
    targets = np.array([VOWELS[v] for v in vowels])
    time = np.arange(count * len(vowels))
    tracks = [np.interp(time / count, np.arange(len(vowels)) + 0.5, t) for t in targets.T]
    tone = pitch * (1 + 0.15 * np.sin(time / RATE * 5) - time / RATE * 0.06)
    pulses = np.diff(np.floor(np.cumsum(tone) / RATE), prepend=0.0)
    source = np.convolve(pulses, np.hanning(40), "same") + 0.02 * random.standard_normal(len(time))
    for track, width in zip(tracks, (60, 90, 120, 200)):
        source = resonate(source, track, width)
    syllable = np.clip(1.6 * np.sin(np.pi * (time % count) / count) ** 0.5, 0.05, 1)
    hiss = np.diff(random.standard_normal(len(time)), prepend=0) * (time % count < 0.04 * RATE) * 0.1
    sound = source / np.abs(source).max() * syllable + hiss
    return (0.5 * sound).astype(np.float32)


def make_sound(seed=4):
    """(samples, [(start, end)] of the speech in seconds): two sentences of babble in faint noise."""
    random = np.random.default_rng(seed)
    parts = [say("aeioaieua", random), say("iaoeuaieoa", random, 140)]
    pieces, spans, at = [], [], 0
    for gap, part in zip((1.0, 1.2), parts):
        pieces += [np.zeros(int(gap * RATE), np.float32), part]
        at += gap
        spans.append((at, at + len(part) / RATE))
        at = spans[-1][1]
    sound = np.concatenate(pieces + [np.zeros(RATE, np.float32)])
    noise = 0.002 * random.standard_normal(len(sound))
    return (sound + noise).astype(np.float32), spans


class SpeechFinder:
    """`step` maps {"input", "state", "sr"} to {"output", "stateN"}."""

    def __init__(self, step):
        self.step = step

    def probabilities(self, sound):
        """The probability of speech, one a window."""
        state, context = np.zeros((2, 1, 128), np.float32), np.zeros((1, CONTEXT), np.float32)
        rate, answers = np.array(RATE, np.int64), []
        for start in range(0, len(sound) - WINDOW + 1, WINDOW):
            window = sound[None, start:start + WINDOW]
            got = self.step({"input": np.concatenate([context, window], 1), "state": state, "sr": rate})
            state, context = got["stateN"], window[:, -CONTEXT:]
            answers.append(got["output"].item())
        return np.array(answers)

    def __call__(self, sound, least=0.5, gap=0.3):
        """[(start, end)] of speech in seconds; pauses shorter than `gap` do not part it."""
        spans = []
        for i in np.nonzero(self.probabilities(sound) > least)[0]:
            start, end = float(i * WINDOW / RATE), float((i + 1) * WINDOW / RATE)
            if spans and start - spans[-1][1] < gap:
                spans[-1] = (spans[-1][0], end)
            else:
                spans.append((start, end))
        return spans
