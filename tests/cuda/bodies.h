/* Bodies that the kernels of the GPU are tested on, and running them on whatever GPU is there, the
 * stand-in too. */
#ifndef HONE_TESTS_CUDA_BODIES_H
#define HONE_TESTS_CUDA_BODIES_H

#include "../backend/cpu_bodies.h"
#include "backend/cuda/device.h"
#include "ops/pointwise.h"

typedef struct cuda_body {
  const char *text;
  const char *precision; /* of the bound `on a GPU`; NULL: exact */
} cuda_body;

#define SIXTEEN "3, 120, 7, 99, 0, 55, 1, 127, 64, 2, 33, 9, 80, 17, 101, 4"
#define SIXTY_FOUR                                                                                 \
  SIXTEEN ", " SIXTEEN ", 5, 6, 8, 12, 11, 10, 18, 14, 13, 15, 16, 20, 21, 22, 23, 24, " SIXTEEN
#define TABLE "[" SIXTY_FOUR ", " SIXTY_FOUR ", " SIXTY_FOUR ", " SIXTY_FOUR "]"

/* clang-format off */
static const cuda_body cuda_bodies[] = {
    {"graph g(x: f32[3, 5, 7], y: f32[7], z: f32[5, 1], w: f32[]) -> (o) {\n"
     " a = add(x, y)\n b = mul(a, z)\n c = sub(b, w)\n d = relu(c)\n o = tanh(d)\n}", "fp32"},
    {"graph g(x: f32[2, 3, 4, 5], a: f32[2, 3, 1, 1], b: f32[2, 1, 4, 1], c: f32[1, 3, 4, 1], "
     "d: f32[2, 1, 1, 1], e: f32[1, 3, 1, 1], f: f32[1, 1, 4, 1], h: f32[2, 3, 4, 1]) -> (o) {\n"
     " p = add(x, a)\n q = mul(p, b)\n r = sub(q, c)\n s = add(r, d)\n t = mul(s, e)\n"
     " u = add(t, f)\n o = mul(u, h)\n}", "fp32"},
    {"graph g(x: f16[3, 5, 16], y: f16[1, 5, 16], z: f16[3, 1, 16]) -> (o) {\n"
     " a = add(x, y)\n o = mul(a, z)\n}", "f16"},
    {"graph g(x: f16[3, 5, 12], y: f16[1, 5, 12]) -> (o) { o = add(x, y) }", "f16"},
    {"graph g(x: f16[33]) -> (o, p) {\n y = cast(x) {to=f32}\n o = exp(y)\n z = mul(o, "
     "y)\n p = cast(z) {to=f16}\n}", "f16"},
    {"graph g(x: s32[40], y: s32[40]) -> (o) {\n c = less(x, y)\n d = add(x, y)\n o = select(c, "
     "d, x)\n}", NULL},
    {"graph g(x: f32[2, 9]) -> (o) {\n a = clip(x)\n l = const f32[] -0.5\n o = clip(a, l)\n}", NULL},
    {"graph g(x: f32[1, 9, 11, 3]) -> (o) {\n w = const f32[3, 3, 3, "
     "5] @weights+0\n b = const f32[5] @weights+64\n"
     " y = conv(x, w, b) {pads=[1, 1, 1, 1], strides=[2, 2]}\n o = relu(y)\n}", "fp32"},
    {"graph g(x: f32[2, 8, 8, 70], r: f32[2, 8, 8, 66]) -> (o) {\n w = const f32[1, 1, 70, "
     "66] @weights+0\n"
     " y = conv(x, w)\n z = add(y, r)\n o = relu(z)\n}", "fp32"},
    {"graph g(x: f32[2, 9, 4]) -> (o) {\n w = const f32[3, 4, 6] @weights+0\n o = conv(x, "
     "w) {padding=same_upper}\n}", "fp32"},
    {"graph g(x: f32[1, 7, 9, 6]) -> (o) {\n w = const f32[3, 3, 1, 6] @weights+0\n"
     " y = conv(x, w) {groups=6, pads=[1, 1, 1, 1], dilations=[2, 1]}\n o = hard_swish(y)\n}", "fp32"},
    {"graph g(x: f16[2, 6, 9, 24], r: f16[2, 3, 5, 24]) -> (o) {\n"
     " w = const f16[3, 3, 1, 24] @weights+80000\n b = const f16[24] @weights+80064\n"
     " y = conv(x, w, b) {groups=24, pads=[1, 1, 1, 1], strides=[2, 2]}\n"
     " z = relu(y)\n o = add(z, r)\n}", "f16"},
    {"graph g(x: f16[2, 7, 19, 48]) -> (o) {\n w = const f16[5, 5, 1, 48] @weights+80000\n"
     " y = conv(x, w) {groups=48, pads=[2, 2, 2, 2]}\n o = hard_swish(y)\n}", "f16"},
    {"graph g(x: bf16[1, 11, 40, 16]) -> (o) {\n w = const bf16[3, 5, 1, 16] @weights+112768\n"
     " o = conv(x, w) {groups=16, pads=[0, 3, 1, 2], strides=[1, 2]}\n}", "bf16"},
    {"graph g(x: f16[2, 19, 21, 40], w: f16[3, 3, 1, 40], r: f16[2, 19, 21, 40]) -> (o) {\n"
     " y = conv(x, w) {groups=40, pads=[1, 1, 1, 1]}\n o = add(y, r)\n}", "f16"},
    {"graph g(x: f16[1, 6, 6, 8]) -> (o) {\n w = const f16[3, 3, 4, "
     "10] @weights+0\n o = conv(x, w) {groups=2}\n}", "f16"},
    {"graph g(a: f32[5, 70], b: f32[70, 65]) -> (o) {\n c = const f32[65] @weights+0\n"
     " y = matmul(a, b, c) {alpha=0.5}\n o = gelu(y)\n}", "fp32"},
    {"graph g(a: f32[2, 3, 17, 9], b: f32[3, 9, 20]) -> (o) { o = matmul(a, b) }", "fp32"},
    {"graph g(a: f32[2, 9, 5], b: f32[2, 4, 9]) -> (o) { o = matmul(a, b) {transpose_a=true, "
     "transpose_b=true} }", "fp32"},
    {"graph g(a: f32[4, 6, 9], b: f32[9, 5]) -> (o) { o = matmul(a, b) }", "fp32"},
    {"graph g(a: f32[2, 5, 300], b: f32[2, 300, 7], c: f32[7]) -> (o) {\n"
     " y = matmul(a, b, c)\n o = relu(y)\n}", "fp32"},
    {"graph g(a: f32[9], b: f32[9, 5]) -> (o) { o = matmul(a, b) }", "fp32"},
    {"graph g(a: f64[3, 9], b: f64[9]) -> (o) { o = matmul(a, b) }", "fp64"},
    /* On tensor cores: whole chunks and odd ones, several tiles, parts of the depth, every layout. */
    {"graph g(a: f16[5, 72], b: f16[72, 64]) -> (o) {\n c = const f32[64] @weights+0\n"
     " y = matmul(a, b) {alpha=0.5}\n z = cast(y) {to=f32}\n w = add(z, c)\n o = relu(w)\n}", "f16"},
    {"graph g(a: f16[70, 33], b: f16[33, 67]) -> (o) { o = matmul(a, b) }", "f16"},
    {"graph g(a: f16[2, 3, 17, 16], b: f16[3, 24, 16], c: f16[24]) -> (o) {\n"
     " o = matmul(a, b, c) {transpose_b=true}\n}", "f16"},
    {"graph g(a: f16[2, 9, 5], b: f16[2, 4, 9]) -> (o) { o = matmul(a, b) {transpose_a=true, "
     "transpose_b=true} }", "f16"},
    {"graph g(a: f16[9], b: f16[9, 5]) -> (o) { o = matmul(a, b) }", "f16"},
    {"graph g(a: f16[40, 512], b: f16[512, 72], r: f16[40, 72]) -> (o) {\n"
     " y = matmul(a, b)\n z = add(y, r)\n o = relu(z)\n}", "f16"},
    {"graph g(a: bf16[3, 40, 24], b: bf16[24, 72]) -> (o) { o = matmul(a, b) }", "bf16"},
    {"graph g(x: f16[2, 9, 64]) -> (o) {\n w = const f16[64, 40] @weights+80000\n n = layer_norm(x)\n"
     " y = matmul(n, w)\n o = gelu(y)\n}", "f16"},
    {"graph g(x: bf16[9, 64]) -> (o) {\n w = const bf16[64, 40] @weights+112768\n n = rms_norm(x)\n"
     " o = matmul(n, w)\n}", "bf16"},
    {"graph g(a: f16[41, 200]) -> (o) {\n w = const f16[200, 72] @weights+80000\n o = matmul(a, w)\n}",
     "f16"},
    /* few rows by a constant: whole pieces of both matrices and odd ones, by depth and by columns */
    {"graph vector(a: f16[1, 136]) -> (o) {\n w = const f16[136, 48] @weights+80000\n"
     " c = const f16[48] @weights+80064\n y = matmul(a, w, c)\n o = cast(y) {to=f32}\n}", "f16"},
    {"graph vector(a: bf16[7, 72]) -> (o) {\n w = const bf16[20, 72] @weights+112768\n"
     " y = matmul(a, w) {transpose_b=true}\n o = relu(y)\n}", "bf16"},
    {"graph vector(a: f32[2, 256]) -> (o) {\n w = const f32[256, 10] @weights+0\n"
     " c = const f32[10] @weights+64\n o = matmul(a, w, c)\n}", "fp32"},
    {"graph vector(x: f32[3, 1, 1, 40], r: f32[3, 1, 1, 24]) -> (o) {\n"
     " w = const f32[1, 1, 40, 24] @weights+0\n b = const f32[24] @weights+64\n"
     " y = conv(x, w, b)\n z = mul(y, r)\n o = silu(z)\n}", "fp32"},
    {"graph g(a: f32[20, 40], b: f32[40, 72]) -> (o) { o = matmul(a, b) {tf32=true} }", "tf32"},
    {"graph g(a: f32[20, 38], b: f32[70, 38]) -> (o) { o = matmul(a, b) {tf32=true, "
     "transpose_b=true} }", "tf32"},
    {"graph g(x: f16[2, 9, 7, 16], r: f16[2, 5, 4, 24]) -> (o) {\n w = const f16[3, 3, 16, "
     "24] @weights+80000\n b = const f16[24] @weights+80064\n y = conv(x, w, b) {pads=[1, 1, 1, 1], "
     "strides=[2, 2]}\n z = add(y, r)\n o = relu(z)\n}", "f16"},
    {"graph g(x: f16[1, 13, 11, 3]) -> (o) {\n w = const f16[5, 4, 3, "
     "9] @weights+80000\n o = conv(x, w) {dilations=[2, 1]}\n}", "f16"},
    {"graph g(x: f16[1, 7, 7, 40]) -> (o) {\n w = const f16[3, 3, 40, "
     "16] @weights+80000\n o = conv(x, w) {padding=same_upper}\n}", "f16"},
    {"graph g(x: f16[1, 9, 15, 64]) -> (o) {\n w = const f16[1, 1, 64, "
     "136] @weights+80000\n o = conv(x, w)\n}", "f16"},
    /* of small depths, in several blocks of columns */
    {"graph g(x: f16[2, 9, 15, 24]) -> (o) {\n w = const f16[1, 1, 24, 40] @weights+80000\n"
     " b = const f16[40] @weights+80064\n y = conv(x, w, b)\n o = relu(y)\n}", "f16"},
    {"graph g(x: bf16[1, 5, 7, 48]) -> (o) {\n w = const bf16[1, 1, 48, 40] @weights+112768\n"
     " o = conv(x, w)\n}", "bf16"},
    {"graph g(x: f16[1, 3, 7, 40], r: f16[1, 3, 7, 392]) -> (o) {\n w = const f16[1, 1, 40, "
     "392] @weights+80000\n y = conv(x, w)\n o = add(y, r)\n}", "f16"},
    {"graph g(x: bf16[1, 6, 6, 8]) -> (o) {\n w = const bf16[3, 3, 8, "
     "16] @weights+112768\n o = conv(x, w)\n}", "bf16"},
    {"graph g(x: f32[1, 6, 6, 8]) -> (o) {\n w = const f32[3, 3, 8, "
     "20] @weights+0\n o = conv(x, w) {pads=[1, 1, 1, 1], tf32=true}\n}", "tf32"},
    {"graph g(x: f32[2, 5, 7, 12], r: f32[2, 3, 4, 24]) -> (o) {\n w = const f32[3, 3, 12, "
     "24] @weights+0\n b = const f32[24] @weights+64\n y = conv(x, w, b) {pads=[1, 1, 1, 1], "
     "strides=[2, 2], tf32=true}\n z = add(y, r)\n o = relu(z)\n}", "tf32"},
    {"graph g(a: f32[41, 100]) -> (o) {\n w = const f32[100, 72] @weights+0\n"
     " o = matmul(a, w) {tf32=true}\n}", "tf32"},
    /* first layers: rows of windows at odd elements, filled up, in pieces; patches side by side */
    {"graph g(x: f16[2, 19, 24, 3]) -> (o) {\n w = const f16[7, 7, 3, "
     "24] @weights+80000\n b = const f16[24] @weights+80064\n"
     " y = conv(x, w, b) {pads=[3, 3, 3, 3], strides=[2, 2]}\n o = relu(y)\n}", "f16"},
    {"graph g(x: f16[1, 9, 41, 3], r: f16[1, 5, 21, 40]) -> (o) {\n w = const f16[3, 3, 3, "
     "40] @weights+80000\n y = conv(x, w) {pads=[1, 1, 1, 1], strides=[2, 2]}\n"
     " o = add(y, r)\n}", "f16"},
    {"graph g(x: bf16[1, 8, 9, 4]) -> (o) {\n w = const bf16[2, 3, 4, "
     "8] @weights+112768\n o = conv(x, w) {dilations=[2, 1], padding=same_upper}\n}", "bf16"},
    {"graph g(x: f16[1, 6, 300, 1]) -> (o) {\n w = const f16[3, 3, 1, "
     "72] @weights+80000\n o = conv(x, w) {pads=[0, 2, 1, 1], strides=[1, 2]}\n}", "f16"},
    {"graph g(x: f16[2, 4, 48, 3]) -> (o) {\n w = const f16[2, 24, 3, "
     "16] @weights+80000\n o = conv(x, w) {strides=[2, 24]}\n}", "f16"},
    /* the same of images in planes and in f32: whole fours, odd ones, a part of an image */
    {"graph g(x: f32[2, 3, 19, 24]) -> (o) {\n w = const f16[7, 7, 3, 24] @weights+80000\n"
     " h = cast(x) {to=f16}\n t = transpose(h) {perm=[0, 2, 3, 1]}\n"
     " y = conv(t, w) {pads=[3, 3, 3, 3], strides=[2, 2]}\n o = relu(y)\n}", "f16"},
    {"graph g(x: f16[1, 3, 6, 300]) -> (o) {\n w = const f16[3, 3, 3, 16] @weights+80000\n"
     " t = transpose(x) {perm=[0, 2, 3, 1]}\n"
     " o = conv(t, w) {pads=[1, 1, 1, 1], strides=[2, 2]}\n}", "f16"},
    {"graph g(x: f32[2, 9, 13, 3]) -> (o) {\n w = const bf16[3, 3, 3, 8] @weights+112768\n"
     " h = cast(x) {to=bf16}\n o = conv(h, w) {pads=[1, 1, 1, 1], strides=[2, 2]}\n}", "bf16"},
    {"graph g(x: f32[1, 4, 9, 13]) -> (o, h) {\n w = const f16[3, 3, 4, 8] @weights+80000\n"
     " a = const s64[1] [1]\n b = const s64[1] [8]\n c = const s64[1] [2]\n h = cast(x) {to=f16}\n"
     " s = slice(h, a, b, c)\n t = transpose(s) {perm=[0, 2, 3, 1]}\n o = conv(t, w)\n}", "f16"},
    /* first layers of f32 as TF32: the same, and steps of an odd number of elements */
    {"graph stem(x: f32[2, 19, 24, 3]) -> (o) {\n w = const f32[7, 7, 3, 24] @weights+0\n"
     " b = const f32[24] @weights+64\n"
     " y = conv(x, w, b) {pads=[3, 3, 3, 3], strides=[2, 2], tf32=true}\n o = relu(y)\n}", "tf32"},
    {"graph stem(x: f32[2, 3, 19, 24]) -> (o) {\n w = const f32[7, 7, 3, 72] @weights+0\n"
     " b = const f32[72] @weights+64\n t = transpose(x) {perm=[0, 2, 3, 1]}\n"
     " y = conv(t, w, b) {pads=[3, 3, 3, 3], strides=[2, 2], tf32=true}\n o = relu(y)\n}", "tf32"},
    {"graph stem(x: f32[1, 9, 41, 3], r: f32[1, 5, 21, 64]) -> (o) {\n"
     " w = const f32[3, 3, 3, 64] @weights+0\n"
     " y = conv(x, w) {pads=[1, 1, 1, 1], strides=[2, 2], tf32=true}\n o = add(y, r)\n}", "tf32"},
    {"graph stem(x: f32[1, 6, 300, 1]) -> (o) {\n w = const f32[3, 3, 1, 72] @weights+0\n"
     " o = conv(x, w) {pads=[0, 2, 1, 1], strides=[1, 2], tf32=true}\n}", "tf32"},
    {"graph stem(x: f32[2, 8, 37, 3]) -> (o) {\n w = const f32[3, 3, 3, 8] @weights+0\n"
     " o = conv(x, w) {pads=[1, 1, 1, 1], tf32=true}\n}", "tf32"},
    {"graph stem(x: f32[1, 3, 6, 300]) -> (o) {\n w = const f32[5, 5, 3, 16] @weights+0\n"
     " t = transpose(x) {perm=[0, 2, 3, 1]}\n"
     " o = conv(t, w) {pads=[2, 1, 2, 1], strides=[2, 1], tf32=true}\n}", "tf32"},
    {"graph stem(x: f32[1, 8, 40, 4]) -> (o) {\n w = const f32[2, 3, 4, 8] @weights+0\n"
     " o = conv(x, w) {dilations=[2, 1], padding=same_upper, tf32=true}\n}", "tf32"},
    {"graph stem(x: f32[1, 2, 9, 13]) -> (o) {\n w = const f32[3, 4, 1, 24] @weights+0\n"
     " a = const s64[1] [1]\n b = const s64[1] [2]\n c = const s64[1] [1]\n"
     " s = slice(x, a, b, c)\n t = transpose(s) {perm=[0, 2, 3, 1]}\n"
     " o = conv(t, w) {strides=[2, 3], pads=[1, 3, 1, 2], tf32=true}\n}", "tf32"},
    {"graph stem(x: f16[1, 3, 9, 13]) -> (o) {\n w = const f32[3, 3, 3, 8] @weights+0\n"
     " h = cast(x) {to=f32}\n t = transpose(h) {perm=[0, 2, 3, 1]}\n"
     " o = conv(t, w) {pads=[1, 1, 1, 1], strides=[2, 2], tf32=true}\n}", "tf32"},
    /* an inverted residual, and two that are none: what is widened is read twice, windows of one size */
    {"graph g(x: f16[1, 7, 9, 24]) -> (o) {\n w = const f16[1, 1, 24, 144] @weights+80000\n"
     " d = const f16[3, 3, 1, 144] @weights+80064\n p = const f16[1, 1, 144, 24] @weights+84000\n"
     " a = conv(x, w)\n b = relu(a)\n c = conv(b, d) {groups=144, pads=[1, 1, 1, 1]}\n e = relu(c)\n"
     " y = conv(e, p)\n o = add(y, x)\n}", "f16"},
    {"graph g(x: f16[1, 5, 6, 16]) -> (o, b) {\n w = const f16[1, 1, 16, 32] @weights+80000\n"
     " d = const f16[3, 3, 1, 32] @weights+80064\n p = const f16[1, 1, 32, 16] @weights+84000\n"
     " a = conv(x, w)\n b = relu(a)\n c = conv(b, d) {groups=32, pads=[1, 1, 1, 1]}\n"
     " o = conv(c, p)\n}", "f16"},
    {"graph g(x: f16[1, 5, 6, 16]) -> (o) {\n w = const f16[1, 1, 16, 32] @weights+80000\n"
     " d = const f16[3, 3, 1, 32] @weights+80064\n p = const f16[1, 1, 32, 16] @weights+84000\n"
     " a = conv(x, w)\n c = conv(a, d) {groups=32, pads=[1, 1, 1, 1], strides=[1, 2]}\n"
     " o = conv(c, p)\n}", "f16"},
    /* a bottleneck, whose layers may run as one */
    {"graph g(x: f16[1, 9, 11, 40]) -> (o) {\n w = const f16[1, 1, 40, 24] @weights+80000\n"
     " d = const f16[3, 3, 24, 24] @weights+82048\n p = const f16[1, 1, 24, 40] @weights+93000\n"
     " a = conv(x, w)\n b = relu(a)\n c = conv(b, d) {pads=[1, 1, 1, 1]}\n e = relu(c)\n"
     " f = conv(e, p)\n g = add(f, x)\n o = relu(g)\n}", "f16"},
    {"graph g(x: f32[1, 11, 9, 3]) -> (o) {\n w = const f32[3, 3, 3, 6] @weights+0\n"
     " b = const f32[6] @weights+800\n y = conv(x, w, b) {pads=[1, 1, 1, 1]}\n z = relu(y)\n"
     " o = pool(z) {kind=max, window=[2, 2], strides=[2, 2]}\n}", "fp32"},
    {"graph g(x: f32[2, 9, 7, 5]) -> (o) { o = pool(x) {kind=max, window=[3, 3], strides=[2, "
     "2], pads=[1, 1, 1, 1]} }", NULL},
    {"graph g(x: f16[2, 9, 7, 24]) -> (o) { y = pool(x) {kind=max, window=[3, 3], strides=[2, "
     "2], pads=[1, 1, 1, 1]}\n o = relu(y) }", NULL},
    {"graph g(x: f32[1, 10, 7, 3]) -> (o) { o = pool(x) {kind=avg, window=[3, 2], strides=[2, "
     "2], pads=[1, 0, 1, 1], count_pads=true, ceil=true} }", "fp32"},
    {"graph g(x: f32[1, 10, 3]) -> (o) { o = pool(x) {kind=avg, window=[3], pads=[1, 1]} }", "fp32"},
    {"graph g(x: u8[2, 9, 7, 24]) -> (o) { o = pool(x) {kind=max, window=[3, 3], strides=[2, "
     "2], pads=[1, 1, 1, 1]} }", NULL},
    {"graph g(x: s8[1, 9, 5]) -> (o) {\n y = pool(x) {kind=max, window=[2]}\n"
     " o = cast(y) {to=f32}\n}", NULL},
    {"graph g(x: u8[2, 7, 5, 72]) -> (o) { o = byte_mean(x) }", NULL},
    {"graph g(x: s8[3, 11, 5]) -> (o) { y = byte_mean(x)\n o = neg(y) }", NULL},
    {"graph g(x: f32[4, 300]) -> (o) { o = softmax(x) }", "fp32"},
    {"graph g(x: f32[4, 9, 5]) -> (o) { y = log_softmax(x) {axis=1}\n o = neg(y) }", "fp32"},
    {"graph g(x: f32[5, 70], s: f32[70], b: f32[70]) -> (o) { o = layer_norm(x, s, b) }", "fp32"},
    {"graph g(x: f16[3, 4, 50], s: f16[50]) -> (o) { o = rms_norm(x, s) }", "f16"},
    {"graph g(x: f32[3, 4, 50], b: f32[4, 1]) -> (o) {\n s = const f32[4, "
     "50] @weights+0\n y = layer_norm(x, s, b) {axis=1}\n o = add(y, x)\n}", "fp32"},
    {"graph g(x: f16[5, 768], s: f16[768], b: f16[768], r: f16[5, 768]) -> (o) {\n"
     " y = layer_norm(x, s, b)\n o = add(y, r)\n}", "f16"},
    {"graph g(x: f64[3, 4, 40], s: f64[40]) -> (o) { o = rms_norm(x, s) }", "fp64"},
    {"graph g(x: f16[3, 768], s: f16[768]) -> (o) { o = layer_norm(x, s) }", "f16"},
    {"graph g(x: bf16[2, 264]) -> (o) { o = layer_norm(x) }", "bf16"},
    {"graph g(x: f16[5, 320]) -> (o) { o = rms_norm(x) }", "f16"},
    {"graph g(x: f32[3, 1024], s: f32[1024], b: f32[1024]) -> (o) { o = layer_norm(x, s, b) }", "fp32"},
    {"graph g(x: f16[2, 7, 7, 72]) -> (o) { a = const s64[2] [1, 2]\n o = reduce(x, a) "
     "{kind=mean} }", "f16"},
    {"graph g(x: f32[3, 40, 5]) -> (o) "
     "{ a = const s64[1] [1]\n o = reduce(x, a) {kind=mean} }", "fp32"},
    {"graph g(x: f32[3, 40, 5]) -> (o) { a = const s64[2] [0, 2]\n o = reduce(x, a) {kind=max, "
     "keep=false} }", NULL},
    {"graph g(x: f32[300, 4]) -> (o) { y = reduce(x) {kind=l2}\n o = sqrt(y) }", "fp32"},
    {"graph g(q: f32[2, 4, 5, 8], k: f32[2, 2, 7, 8], v: f32[2, 2, 7, 6], m: f32[5, "
     "7]) -> (o) { o = attention(q, k, v, m) }", "fp32"},
    {"graph g(q: f32[1, 2, 300, 16], k: f32[1, 2, 300, 16], v: f32[1, 2, 300, 16]) -> (o) {\n"
     " a = attention(q, k, v) {causal=true}\n o = transpose(a) {perm=[0, 2, 1, 3]}\n}", "fp32"},
    {"graph g(q: f32[1, 1, 3, 4], k: f32[1, 1, 6, 4], v: f32[1, 1, 6, 4], m: bool[1, 1, 3, "
     "5]) -> (o) { o = attention(q, k, v, m) }", "fp32"},
    {"graph g(q: f64[1, 2, 5, 8], k: f64[1, 2, 7, 8], v: f64[1, 2, 7, 9]) -> (o) {\n"
     " o = attention(q, k, v)\n}", "fp64"},
    {"graph g(q: f32[1, 2, 5, 130], k: f32[1, 1, 40, 130], v: f32[1, 1, 40, 20]) -> (o) {\n"
     " o = attention(q, k, v) {causal=true}\n}", "fp32"},
    {"graph g(q: f16[1, 2, 37, 24], k: f16[1, 2, 70, 24], v: f16[1, 2, 70, 17]) -> (o) {\n"
     " o = attention(q, k, v)\n}", "f16"},
    {"graph g(q: f16[2, 4, 70, 64], k: f16[2, 2, 150, 64], v: f16[2, 2, 150, 64], m: f16[70, "
     "150]) -> (o) { o = attention(q, k, v, m) }", "f16"},
    {"graph g(q: f16[1, 2, 130, 16], k: f16[1, 2, 130, 16], v: f16[1, 2, 130, 8]) -> (o) {\n"
     " o = attention(q, k, v) {causal=true}\n}", "f16"},
    {"graph g(q: bf16[1, 1, 20, 80], k: bf16[1, 1, 90, 80], v: bf16[1, 1, 90, 128], m: bool[1, 1, "
     "20, 70]) -> (o) { o = attention(q, k, v, m) }", "bf16"},
    {"graph g(x: f16[2, 70, 96]) -> (o) {\n a = const s64[1] [0]\n b = const s64[1] [32]\n"
     " c = const s64[1] [64]\n d = const s64[1] [96]\n t = const s64[1] [2]\n"
     " h = const s64[4] [0, 0, 2, 16]\n x0 = slice(x, a, b, t)\n x1 = slice(x, b, c, t)\n"
     " x2 = slice(x, c, d, t)\n r0 = reshape(x0, h)\n r1 = reshape(x1, h)\n r2 = reshape(x2, h)\n"
     " q = transpose(r0) {perm=[0, 2, 1, 3]}\n k = transpose(r1) {perm=[0, 2, 1, 3]}\n"
     " v = transpose(r2) {perm=[0, 2, 1, 3]}\n y = attention(q, k, v)\n"
     " o = transpose(y) {perm=[0, 2, 1, 3]}\n}", "f16"},
    /* packed projections of tokens before images, images and heads in one axis */
    {"graph g(x: f16[70, 2, 96]) -> (o) {\n s = const s64[4] [70, 2, 3, 32]\n i = const s64[1] [0]\n"
     " j = const s64[1] [1]\n k = const s64[1] [2]\n l = const s64[1] [3]\n"
     " h = const s64[3] [70, 4, 16]\n w = const s64[4] [2, 2, 70, 16]\n"
     " a = reshape(x, s)\n b = transpose(a) {perm=[2, 0, 1, 3]}\n"
     " q0 = slice(b, i, j, i)\n k0 = slice(b, j, k, i)\n v0 = slice(b, k, l, i)\n q1 = reshape(q0, h)\n"
     " k1 = reshape(k0, h)\n v1 = reshape(v0, h)\n q2 = transpose(q1) {perm=[1, 0, 2]}\n"
     " k2 = transpose(k1) {perm=[1, 0, 2]}\n v2 = transpose(v1) {perm=[1, 0, 2]}\n q3 = reshape(q2, w)\n"
     " k3 = reshape(k2, w)\n v3 = reshape(v2, w)\n y = attention(q3, k3, v3)\n"
     " o = transpose(y) {perm=[2, 0, 1, 3]}\n}", "f16"},
    /* queries that see no key */
    {"graph g(q: f32[1, 2, 3, 8], k: f32[1, 2, 40, 8], v: f32[1, 2, 40, 6]) -> (o) {\n"
     " m = const bool[2, 3, 1] [true, false, true, false, false, true]\n o = attention(q, k, v, m)\n}",
     "fp32"},
    {"graph g(q: f64[1, 1, 3, 8], k: f64[1, 1, 300, 8], v: f64[1, 1, 300, 6]) -> (o) {\n"
     " m = const f64[3, 1] [-inf, 0, -inf]\n o = attention(q, k, v, m)\n}", "fp64"},
    {"graph g(q: f16[1, 2, 70, 16], k: f16[1, 2, 66, 16], v: f16[1, 2, 66, 16]) -> (o) {\n"
     " m = const f16[2, 1, 1] [-inf, 0.5]\n o = attention(q, k, v, m)\n}", "f16"},
    {"graph g(q: bf16[1, 2, 3, 16], k: bf16[1, 2, 66, 16], v: bf16[1, 2, 66, 16]) -> (o) {\n"
     " m = const bool[2, 3, 1] [true, false, true, false, false, true]\n o = attention(q, k, v, m)\n}",
     "bf16"},
    /* the same of f32 that may be multiplied in tf32 */
    {"graph g(q: f32[1, 2, 37, 23], k: f32[1, 2, 70, 23], v: f32[1, 2, 70, 17]) -> (o) {\n"
     " o = attention(q, k, v) {tf32=true}\n}", "tf32"},
    {"graph g(q: f32[2, 4, 70, 64], k: f32[2, 2, 150, 64], v: f32[2, 2, 150, 64], m: f32[70, "
     "150]) -> (o) { o = attention(q, k, v, m) {tf32=true} }", "tf32"},
    {"graph g(q: f32[1, 2, 130, 16], k: f32[1, 2, 130, 16], v: f32[1, 2, 130, 8]) -> (o) {\n"
     " y = attention(q, k, v) {causal=true, tf32=true}\n o = relu(y)\n}", "tf32"},
    {"graph g(q: f32[1, 1, 20, 80], k: f32[1, 1, 90, 80], v: f32[1, 1, 90, 128], m: bool[1, 1, "
     "20, 70]) -> (o) { o = attention(q, k, v, m) {scale=0.2, tf32=true} }", "tf32"},
    {"graph g(x: f32[2, 70, 96]) -> (o) {\n a = const s64[1] [0]\n b = const s64[1] [32]\n"
     " c = const s64[1] [64]\n d = const s64[1] [96]\n t = const s64[1] [2]\n"
     " h = const s64[4] [0, 0, 2, 16]\n x0 = slice(x, a, b, t)\n x1 = slice(x, b, c, t)\n"
     " x2 = slice(x, c, d, t)\n r0 = reshape(x0, h)\n r1 = reshape(x1, h)\n r2 = reshape(x2, h)\n"
     " q = transpose(r0) {perm=[0, 2, 1, 3]}\n k = transpose(r1) {perm=[0, 2, 1, 3]}\n"
     " v = transpose(r2) {perm=[0, 2, 1, 3]}\n y = attention(q, k, v) {tf32=true}\n"
     " o = transpose(y) {perm=[0, 2, 1, 3]}\n}", "tf32"},
    {"graph g(q: f32[1, 2, 3, 16], k: f32[1, 2, 40, 16], v: f32[1, 2, 40, 16]) -> (o) {\n"
     " m = const bool[2, 3, 1] [true, false, true, false, false, true]\n"
     " o = attention(q, k, v, m) {tf32=true}\n}", "tf32"},
    {"graph g(x: f32[2, 3, 4, 5]) -> (o) { o = transpose(x) {perm=[0, 2, 3, 1]} }", NULL},
    {"graph g(x: f16[2, 3, 16, 21]) -> (o) { o = transpose(x) {perm=[0, 2, 3, 1]} }", NULL},
    {"graph g(x: u8[2, 5, 4, 24]) -> (o) { o = transpose(x) {perm=[0, 1, 3, 2]} }", NULL},
    {"graph g(x: f32[2, 40]) -> (o) { o = transpose(x) }", NULL},
    {"graph g(x: u8[7, 9]) -> (o) { o = transpose(x) }", NULL},
    /* patches of a picture in f32, rounded on the way: of planes in eights, of pixels, of odd sizes,
     * of a part of the picture, and with what was rounded read elsewhere too */
    {"graph rounded(x: f32[2, 3, 32, 24]) -> (o) {\n s = const s64[6] [2, 3, 4, 8, 3, 8]\n"
     " h = cast(x) {to=f16}\n r = reshape(h, s)\n o = transpose(r) {perm=[0, 2, 4, 1, 3, 5]}\n}",
     NULL},
    {"graph rounded(x: f32[1, 32, 24, 3]) -> (o) {\n s = const s64[6] [1, 4, 8, 3, 8, 3]\n"
     " h = cast(x) {to=bf16}\n r = reshape(h, s)\n o = transpose(r) {perm=[0, 1, 3, 2, 4, 5]}\n}",
     NULL},
    {"graph rounded(x: f32[2, 3, 10, 15]) -> (o) {\n s = const s64[6] [2, 3, 2, 5, 3, 5]\n"
     " h = cast(x) {to=f16}\n r = reshape(h, s)\n o = transpose(r) {perm=[0, 2, 4, 1, 3, 5]}\n}",
     NULL},
    {"graph rounded(x: f32[4, 9, 16]) -> (o) {\n a = const s64[1] [1]\n b = const s64[1] [8]\n"
     " h = cast(x) {to=f16}\n p = slice(h, a, b, a)\n o = transpose(p) {perm=[1, 0, 2]}\n}", NULL},
    {"graph rounded(x: f32[4, 9, 16]) -> (o) {\n a = const s64[1] [3]\n b = const s64[1] [11]\n"
     " c = const s64[1] [2]\n h = cast(x) {to=bf16}\n p = slice(h, a, b, c)\n"
     " o = transpose(p) {perm=[1, 0, 2]}\n}", NULL},
    {"graph rounded(x: f32[4, 1, 8]) -> (o, h) {\n h = cast(x) {to=f16}\n"
     " o = transpose(h) {perm=[1, 0, 2]}\n}", NULL},
    /* many elements: in eights, in runs of eight, with a rest */
    {"graph g(x: f16[3, 3, 173, 171]) -> (o) { o = transpose(x) {perm=[0, 2, 3, 1]} }", NULL},
    {"graph g(x: f16[64, 65, 64]) -> (o) { o = transpose(x) {perm=[1, 0, 2]} }", NULL},
    {"graph g(x: f16[301, 901], y: f16[301, 872]) -> (o) { o = concat(x, y) {axis=1} }", NULL},
    {"graph g(x: s64[9, 8]) -> (o) {\n s = const s64[2] [7, 1]\n e = const s64[2] [-100, 6]\n"
     " a = const s64[2] [0, 1]\n t = const s64[2] [-2, 3]\n o = slice(x, s, e, a, t)\n}", NULL},
    {"graph g(x: f32[3, 1, 4]) -> (o) { s = const s64[4] [2, 3, 5, 4]\n o = expand(x, s) }", NULL},
    {"graph g(x: f32[2, 3], y: f32[2, 4], z: f32[2, 1]) -> (o) { o = concat(x, y, z) {axis=1} }", NULL},
    {"graph g(x: f16[9, 4]) -> (a, b) { s = const s64[2] [5, 4]\n a, b = split(x, s) {axis=0} }", NULL},
    {"graph g(x: f32[4, 6], i: s64[2, 3]) -> (o) { o = gather(x, i) }", NULL},
    {"graph g(x: f16[3, 4, 5], i: s32[2]) -> (o) { o = gather(x, i) {axis=1} }", NULL},
    /* elements of others, and fills */
    {"graph g(x: f32[3, 5, 7], v: f32[]) -> (o) {\n p = const s64[6] [1, -1, 0, 2, 3, -2]\n"
     " o = pad(x, p, v)\n}", NULL},
    {"graph g(x: f16[2, 4, 5]) -> (o) {\n p = const s64[4] [2, 3, 1, 4]\n a = const s64[2] [-1, 1]\n"
     " o = pad(x, p, _, a) {mode=edge}\n}", NULL},
    {"graph g(x: s64[4, 1, 5]) -> (o) {\n p = const s64[6] [7, 2, -1, 3, 1, 9]\n"
     " o = pad(x, p) {mode=reflect}\n}", NULL},
    {"graph g(x: u8[3, 5]) -> (o) "
     "{\n p = const s64[4] [4, 1, 2, 11]\n o = pad(x, p) {mode=wrap}\n}", NULL},
    {"graph g(x: f32[3, 1, 5]) -> (o) { r = const s64[3] [2, 4, 3]\n o = tile(x, r) }", NULL},
    {"graph g(x: f32[2, 5, 7]) -> (o) { k = const s64[] -1\n o = trilu(x, k) }", NULL},
    {"graph g(x: s32[6, 4], k: s64[1]) -> (o) { o = trilu(x, k) {upper=false} }", NULL},
    {"graph g(i: s32[3, 5], v: f16[2]) -> (o) "
     "{ d = const s64[] 3\n o = one_hot(i, d, v) {axis=1} }", NULL},
    {"graph g(v: f32[2]) -> (o) {\n i = const s64[4] [-1, -3, 2, 9]\n d = const s64[1] [3]\n"
     " o = one_hot(i, d, v)\n}", NULL},
    {"graph g(x: f32[3, 5]) -> (o) { o = bitcast(x) {to=s32} }", NULL},
    {"graph g(x: f32[4, 6, 5], i: s64[4, 3, 5]) -> (o) { o = gather_elements(x, i) {axis=1} }", NULL},
    {"graph g(x: u8[7, 4], i: s32[2, 3]) -> (o) { o = gather_elements(x, i) }", NULL},
    {"graph g(x: f16[2, 4, 5, 3], i: s64[2, 7, 2]) -> (o) "
     "{ o = gather_nd(x, i) {batch_dims=1} }", NULL},
    {"graph g(x: f64[4, 5], i: s32[3, 2]) -> (o) { o = gather_nd(x, i) }", NULL},
    {"graph g(x: f32[5, 4, 3], l: s64[4]) -> (o) { o = reverse_sequence(x, l) }", NULL},
    {"graph g(x: u8[3, 2, 4], l: s32[3]) -> (o) { o = reverse_sequence(x, l) {time_axis=2, "
     "batch_axis=0} }", NULL},
    {"graph g(x: f32[2, 3, 6, 5], u: f32[2, 3, 3, 5], s: s64[2]) -> (o) "
     "{ o = tensor_scatter(x, u, s) }",
     NULL},
    {"graph g(x: f16[3, 4, 5], u: f16[3, 3, 5], s: s64[3]) -> (o) { o = tensor_scatter(x, u, s) "
     "{mode=circular} }", NULL},
    {"graph g(x: f32[3, 4, 5], u: f32[3, 2, 5]) -> (o) { o = tensor_scatter(x, u) {axis=1} }", NULL},
    /* scattered updates: of equal places the last one stays */
    {"graph g(x: f32[4, 6, 5], i: s64[7, 3, 5], u: f32[7, 3, 5]) -> (o) "
     "{ o = scatter_elements(x, i, u) }",
     NULL},
    {"graph g(x: u8[3, 9], i: s32[2, 7], u: u8[2, 7]) -> (o) "
     "{ o = scatter_elements(x, i, u) {axis=1} }",
     NULL},
    {"graph g(x: f32[4, 5], i: s64[40, 5], u: f32[40, 5]) -> (o) { o = scatter_elements(x, i, u) "
     "{reduction=add} }", "fp32"},
    {"graph g(x: f16[4, 5], i: s64[9, 5], u: f16[9, 5]) -> (o) { o = scatter_elements(x, i, u) "
     "{reduction=max} }", NULL},
    {"graph g(x: f64[4, 5], i: s64[9, 2], u: f64[9, 2]) -> (o) { o = scatter_elements(x, i, u) "
     "{reduction=mul} }", "fp64"},
    {"graph g(x: f32[4, 4, 6], i: s64[5, 3, 2], u: f32[5, 3, 6]) -> (o) "
     "{ o = scatter_nd(x, i, u) }", NULL},
    {"graph g(x: bf16[5, 7], i: s32[4, 1], u: bf16[4, 7]) -> (o) { o = scatter_nd(x, i, u) "
     "{reduction=min} }", NULL},
    {"graph g(x: s32[5, 4], i: s64[30, 2], u: s32[30]) -> (o) { o = scatter_nd(x, i, u) "
     "{reduction=add} }", NULL},
    {"graph g(x: s16[5, 4], i: s64[30, 2], u: s16[30]) -> (o) { o = scatter_nd(x, i, u) "
     "{reduction=add} }", NULL},
    {"graph g(x: u64[5, 4], i: s64[9, 2], u: u64[9]) -> (o) { o = scatter_nd(x, i, u) "
     "{reduction=mul} }", NULL},
    /* recurrent layers: directions, lengths, first states, what is not wanted, every activation */
    {"graph g(x: f32[5, 3, 4], w: f32[1, 28, 4], r: f32[1, 28, 7], b: f32[1, 56]) -> (y, h, c) {\n"
     " y, h, c = lstm(x, w, r, b)\n}", "fp32"},
    {"graph g(x: f32[4, 9, 3], l: s32[9], h0: f32[2, 9, 5], c0: f32[2, 9, 5], p: f32[2, 15]) -> (y, h, "
     "c) {\n w = const f32[2, 20, 3] @weights+0\n r = const f32[2, 20, 5] @weights+1024\n"
     " b = const f32[2, 40] @weights+4096\n y, h, c = lstm(x, w, r, b, l, h0, c0, p) "
     "{direction=bidirectional, clip=0.5}\n}", "fp32"},
    {"graph g(x: f16[3, 2, 4], w: f16[1, 24, 4], r: f16[1, 24, 6]) -> (h) {\n"
     " _, h = lstm(x, w, r) {direction=reverse, input_forget=true}\n}", "f16"},
    {"graph g(x: f64[3, 2, 4], w: f64[1, 12, 4], r: f64[1, 12, 3], l: s64[2]) -> (y) {\n"
     " y = lstm(x, w, r, _, l) {direction=reverse, activations=[\"hard_sigmoid\", \"softsign\", "
     "\"softplus\"], alphas=[0.3], betas=[0.4]}\n}", "fp64"},
    {"graph g(x: f32[5, 2, 40], w: f32[1, 111, 40], r: f32[1, 111, 37], b: f32[1, 222]) -> (y, h) {\n"
     " y, h = gru(x, w, r, b) {linear_before_reset=true}\n}", "fp32"},
    {"graph g(x: f32[4, 3, 4], w: f32[2, 21, 4], r: f32[2, 21, 7], b: f32[2, 42], l: s64[3], h0: f32[2, "
     "3, 7]) -> (y, h) {\n y, h = gru(x, w, r, b, l, h0) {direction=bidirectional, "
     "activations=[\"sigmoid\", \"elu\", \"affine\", \"leaky_relu\"], alphas=[0.5, 0.2, 0.1], "
     "betas=[0.3]}\n}", "fp32"},
    {"graph g(x: f32[3, 9, 4], w: f32[1, 30, 4], r: f32[1, 30, 10], b: f32[1, 60], l: s32[9]) -> (y, "
     "h) {\n y, h = gru(x, w, r, b, l)\n}", "fp32"},
    {"graph g(x: bf16[3, 10, 4], w: bf16[1, 9, 4], r: bf16[1, 9, 9]) -> (y) { y = rnn(x, w, r) }",
     "bf16"},
    {"graph g(x: f32[3, 2, 4], w: f32[2, 5, 4], r: f32[2, 5, 5]) -> (y, h) {\n y, h = rnn(x, w, r) "
     "{direction=bidirectional, activations=[\"scaled_tanh\", \"thresholded_relu\"], alphas=[0.7, "
     "0.1], betas=[0.8]}\n}", "fp32"},
    /* along lines: short and long ones, many and few */
    {"graph g(x: f32[3, 300, 5]) -> (o) { o = arg_reduce(x) {kind=max, axis=1} }", NULL},
    {"graph g(x: u8[700, 3]) -> (o) { o = arg_reduce(x) {kind=min, last=true, keep=false} }", NULL},
    {"graph g(x: f16[4, 9, 20]) -> (o) {\n n = const f16[1] [nan]\n"
     " s = const s64[3] [4, 9, 1]\n a = expand(n, s)\n y = concat(x, a) {axis=2}\n"
     " o = arg_reduce(y) {kind=min, axis=-1}\n}", NULL},
    {"graph g(x: f32[3, 700]) -> (o) { a = const s64[] 1\n o = cumsum(x, a) }", "fp32"},
    {"graph g(x: s32[300, 5]) -> (o) { a = const s64[] 0\n o = cumsum(x, a) {exclusive=true, "
     "reverse=true} }", NULL},
    {"graph g(x: f64[4, 20, 3]) -> (o) { a = const s32[1] [-2]\n o = cumsum(x, a) {kind=prod, "
     "reverse=true} }", "fp64"},
    {"graph g(x: f16[3, 300, 2]) -> (o) { y = lp_norm(x) {axis=1}\n o = neg(y) }", "f16"},
    {"graph g(x: f32[3, 20]) -> (o) { o = lp_norm(x) {p=1, floor=30, epsilon=0.5} }", "fp32"},
    {"graph g(x: f32[3, 40, 5]) -> (o) { a = const s64[1] [1]\n o = reduce(x, a) {kind=log_sum_exp} }",
     "fp32"},
    {"graph g(x: f32[40, 3, 33]) -> (o) {\n a = const s64[1] [0]\n i = const f32[1] [-inf]\n"
     " z = min(x, i)\n y = concat(x, z) {axis=1}\n o = reduce(y, a) {kind=log_sum_exp}\n}", "fp32"},
    {"graph g(x: s32[30, 7]) -> (o) { a = const s64[1] [0]\n o = reduce(x, a) {kind=max, keep=false} }",
     NULL},
    {"graph g(x: u8[300, 40]) -> (o) { a = const s64[1] [0]\n o = reduce(x, a) {kind=min} }", NULL},
    {"graph g(x: s64[3, 7]) -> (o) { o = reduce(x) {kind=sum} }", NULL},
    {"graph g(x: f32[2, 5, 6, 40], s: f32[40], b: f32[40]) -> (o) {\n"
     " o = group_norm(x, s, b) {groups=8}\n}", "fp32"},
    {"graph g(x: f16[3, 12, 33, 5], s: f16[12]) -> (o) { o = group_norm(x, s) {groups=3, axis=1} }",
     "f16"},
    {"graph g(x: f32[2, 40, 41, 33]) -> (o) { o = instance_norm(x) {epsilon=0.01} }", "fp32"},
    {"graph g(x: f64[2, 3, 35, 20], s: f64[3], b: f64[3]) -> (o) {\n"
     " o = instance_norm(x, s, b) {axis=1}\n}", "fp64"},
    {"graph g(x: f32[3, 4, 11]) -> (o) { y = lrn(x) {size=4, alpha=0.3, beta=0.6, bias=2}\n"
     " o = relu(y) }", "fp32"},
    /* scales known at run, in blocks, of fewer than 8 bits */
    {"graph g(x: f32[3, 5, 7], s: f32[5], z: u8[5]) -> (o) { o = quantize(x, s, z) {axis=1} }", NULL},
    {"graph g(x: f16[2, 7, 3], s: f16[2, 3, 3]) -> (o) { o = quantize(x, s) {axis=1, block=3, "
     "dtype=s4} }", NULL},
    {"graph g(x: f32[37], s: f32[]) -> (o) { o = quantize(x, s) {dtype=s16} }", NULL},
    {"graph g(x: f32[3, 7], s: f32[]) -> (o) {\n z = const u4[] 5\n o = quantize(x, s, z) {dtype=u4}\n}",
     NULL},
    {"graph g(x: s8[4, 6], s: f32[6], z: s8[6]) -> (o) { o = dequantize(x, s, z) {axis=-1} }", "fp32"},
    {"graph g(x: u4[5, 9], s: f16[5, 3], z: u4[5, 3]) -> (o) {\n"
     " o = dequantize(x, s, z) {axis=1, block=3, dtype=f16}\n}", "f16"},
    {"graph g(x: s32[7], s: f32[1]) -> (o) { o = dequantize(x, s) }", "fp32"},
    /* between pixels */
    {"graph g(x: f32[2, 5, 7, 3], g: f32[2, 4, 3, 2]) -> (o) { y = grid_sample(x, g)\n o = relu(y) }",
     "fp32"},
    {"graph g(x: f32[2, 5, 7, 3], g: f32[2, 4, 3, 2]) -> (o) {\n"
     " o = grid_sample(x, g) {mode=cubic, padding=reflection}\n}", "fp32"},
    {"graph g(x: f64[1, 5, 7, 2], g: f64[1, 6, 3, 2]) -> (o) {\n"
     " o = grid_sample(x, g) {mode=cubic, padding=border, align_corners=true}\n}", "fp64"},
    {"graph g(x: f16[1, 4, 5, 3, 2], g: f32[1, 2, 3, 4, 3]) -> (o) {\n"
     " o = grid_sample(x, g) {mode=linear, padding=reflection, align_corners=true}\n}", "f16"},
    {"graph g(x: f32[1, 9, 2], g: f32[1, 5, 1]) -> (o) { o = grid_sample(x, g) {mode=nearest} }", NULL},
    {"graph g(x: f32[4, 6, 7, 3], i: s64[5]) -> (o) {\n r = const f32[5, 4] [0, 0, 6, 5, 1.5, 2, 4, 4.5,"
     " -3, -2, 2, 1, 3, 1, 3.2, 8, 20, 20, 30, 30]\n"
     " o = roi_align(x, r, i) {height=2, width=3, scale=0.7}\n}", "fp32"},
    {"graph g(x: f16[4, 6, 7, 2], i: s32[2]) -> (o) {\n"
     " r = const f32[2, 4] [0, 0, 6, 5, 1.5, 2, 4, 4.5]\n"
     " o = roi_align(x, r, i) {mode=max, height=3, width=2, samples=2, half_pixel=false}\n}", "f16"},
    {"graph g(x: f32[2, 3, 5, 8], c: f32[1, 5, 3], s: f32[1, 5, 3]) -> (o) {\n"
     " o = rotary_embedding(x, c, s)\n}", "fp32"},
    {"graph g(x: f16[2, 3, 5, 8], c: f16[4, 4], s: f16[4, 4], p: s64[2, 5]) -> (o) {\n"
     " o = rotary_embedding(x, c, s, p) {interleaved=true}\n}", "f16"},
    {"graph g(x: u8[2, 7, 9, 6]) -> (o) {\n w = const s8[3, 3, 3, 8] @weights+0\n z = const u8[] 7\n"
     " v = const s8[8] @weights+64\n b = const s32[8] @weights+128\n"
     " y = conv_integer(x, w, z, v, b) {groups=2, pads=[1, 1, 1, 1], strides=[2, 1]}\n"
     " f = cast(y) {to=f32}\n o = relu(f)\n}", NULL},
    {"graph g(a: s8[3, 5, 33]) -> (o) {\n b = const u8[33, 7] @weights+0\n v = const u8[] 3\n"
     " o = matmul_integer(a, b, _, v)\n}", NULL},
    /* a byte's function, of what was cut to a byte */
    {"graph g(x: f32[5, 24]) -> (o, p) {\n l = const f32[] -128\n h = const f32[] 127\n"
     " k = const f32[] 60\n y = mul(x, k)\n r = round(y)\n c = clip(r, l, h)\n"
     " p = cast(c) {to=s8}\n o = byte_table(p) {table=" TABLE "}\n}", NULL},
    {"graph g(x: u8[3, 9]) -> (o) {\n y = byte_table(x) {dtype=s8, table=" TABLE "}\n"
     " o = cast(y) {to=s32}\n}", NULL},
    /* bytes on tensor cores: whole chunks, halves and odd ones, every pair of types, zero points of
     * both, finished to bytes, floats and sums, with a residual; windows over borders, channels within a
     * chunk */
    {"graph g(a: u8[70, 200], c: s32[72]) -> (o) {\n b = const s8[200, 72] @weights+0\n"
     " z = const u8[] 131\n s = const f32[72] @weights+1024\n t = const f32[] 120\n"
     " l = const f32[] 0\n h = const f32[] 255\n k = const f32[] 1e-3\n"
     " y = matmul_integer(a, b, z, _, c)\n f = cast(y) {to=f32}\n g = mul(f, s)\n m = mul(g, k)\n"
     " r = round(m)\n d = add(r, t)\n e = clip(d, l, h)\n o = cast(e) {to=u8}\n}", NULL},
    {"graph g(a: s8[5, 3, 33]) -> (o) {\n b = const s8[33, 27] @weights+3\n"
     " v = const s8[27] @weights+64\n c = const s32[27] @weights+128\n"
     " o = matmul_integer(a, b, _, v, c)\n}", NULL},
    {"graph g(a: u8[37, 512], b: u8[512, 48], z: u8[], v: u8[], q: s32[37, 48]) -> (o) {\n"
     " y = matmul_integer(a, b, z, v)\n o = add(y, q)\n}", NULL},
    {"graph g(a: s8[130, 264], b: u8[264, 144], z: s8[], v: u8[144]) -> (o) {\n"
     " y = matmul_integer(a, b, z, v)\n o = cast(y) {to=f32}\n}", NULL},
    {"graph g(a: u8[16]) -> (o) {\n b = const s8[16, 8] @weights+0\n z = const u8[] 0\n"
     " o = matmul_integer(a, b, z)\n}", NULL},
    {"graph g(x: u8[2, 9, 7, 16], q: u8[2, 9, 7, 32], b: s32[32]) -> (o) {\n"
     " w = const s8[3, 3, 16, 32] @weights+0\n z = const u8[] 119\n"
     " l = const s32[] 0\n h = const s32[] 255\n k = const s32[] 10\n"
     " y = conv_integer(x, w, z, _, b) {pads=[1, 1, 1, 1]}\n"
     " d = shift_right(y, k)\n e = cast(q) {to=s32}\n f = add(d, e)\n r = clip(f, l, h)\n"
     " o = cast(r) {to=u8}\n}", NULL},
    {"graph g(x: s8[1, 11, 12, 24]) -> (o) {\n w = const s8[2, 3, 24, 40] @weights+5\n"
     " z = const s8[] -7\n v = const s8[40] @weights+64\n y = conv_integer(x, w, z, v) {"
     "strides=[2, 1], dilations=[1, 2], pads=[0, 2, 1, 1]}\n"
     " f = cast(y) {to=f32}\n o = relu(f)\n}", NULL},
    {"graph g(x: u8[2, 13, 11, 3], z: u8[], v: u8[]) -> (o) {\n"
     " w = const u8[7, 7, 3, 24] @weights+0\n"
     " o = conv_integer(x, w, z, v) {strides=[2, 2], pads=[3, 3, 3, 3]}\n}", NULL},
    {"graph g(x: s8[1, 9, 15, 48]) -> (o) {\n w = const s8[1, 1, 48, 136] @weights+0\n"
     " y = conv_integer(x, w)\n f = cast(y) {to=f32}\n o = neg(f)\n}", NULL},
    {"graph g(x: u8[2, 7, 9, 24], q: u8[2, 4, 5, 24]) -> (o) {\n w = const s8[3, 3, 1, 24] @weights+0\n"
     " z = const u8[] 131\n v = const s8[24] @weights+64\n l = const s32[] 0\n h = const s32[] 255\n"
     " k = const s32[] 9\n y = conv_integer(x, w, z, v) {groups=24, pads=[1, 1, 1, 1], strides=[2, 2]}\n"
     " d = shift_right(y, k)\n e = cast(q) {to=s32}\n f = add(d, e)\n r = clip(f, l, h)\n"
     " o = cast(r) {to=u8}\n}", NULL},
    {"graph g(x: s8[1, 6, 11, 8]) -> (o) {\n w = const u8[2, 5, 1, 8] @weights+0\n"
     " b = const s32[8] @weights+64\n"
     " o = conv_integer(x, w, _, _, b) {groups=8, pads=[0, 3, 1, 2], dilations=[2, 1]}\n}", NULL},
    {"graph g(x: u8[2, 19, 8]) -> (o) {\n w = const s8[5, 8, 9] @weights+0\n z = const u8[] 255\n"
     " o = conv_integer(x, w, z) {padding=same_upper}\n}", NULL},
    {"graph g(x: f32[2, 5, 4, 6], r: f32[2, 11, 9, 4]) -> (o) {\n"
     " w = const f32[3, 3, 2, 6] @weights+0\n b = const f32[4] @weights+64\n"
     " y = conv_transpose(x, w, b) {strides=[2, 2], groups=2}\n o = add(y, r)\n}", "fp32"},
    {"graph g(x: f16[1, 6, 3]) -> (o) {\n w = const f16[4, 5, 3] @weights+0\n"
     " o = conv_transpose(x, w) {strides=[3], pads=[1, 2], dilations=[2]}\n}", "f16"},
    {"graph g(x: f32[2, 5, 7, 3]) -> (o) {\n s = const f32[4] [1, 2, 1.7, 1]\n"
     " y = resize(x, _, s) {mode=linear}\n o = relu(y)\n}", "fp32"},
    {"graph g(x: f32[2, 5, 7, 3]) -> (o) {\n n = const s64[4] [2, 9, 3, 3]\n"
     " o = resize(x, _, _, n) {mode=linear, coordinates=align_corners}\n}", "fp32"},
    {"graph g(x: f16[1, 6, 11]) -> (o) {\n n = const s64[1] [17]\n"
     " o = resize(x, _, _, n) {axes=[1], coordinates=asymmetric, nearest=floor}\n}", NULL},
    {"graph g(x: f64[3, 8, 4, 9]) -> (o) {\n s = const f32[2] [0.6, 2.3]\n"
     " o = resize(x, _, s) {axes=[1, 3], nearest=round_prefer_ceil}\n}", NULL},
    {"graph g(x: f32[3, 400]) -> (v, p) {\n k = const s64[1] [7]\n v, p = topk(x, k)\n}", NULL},
    {"graph g(x: u8[2, 30, 5]) -> (v, p) {\n k = const s64[1] [30]\n"
     " v, p = topk(x, k) {axis=1, largest=false}\n}", NULL},
};
/* clang-format on */
#define CUDA_BODIES (sizeof cuda_bodies / sizeof *cuda_bodies)

static size_t cuda_shift; /* bytes past a multiple of 256 at which inputs and outputs begin, */
/* rounded down to whole elements. */
static size_t cuda_shift_of(hone_dtype dtype) {
  size_t bytes = hone_dtype_bits(dtype) / 8;
  return bytes ? cuda_shift / bytes * bytes : cuda_shift;
}

/* Memory on the device with the elements of `from`, or poison; it is given back less the shift. */
static void *cuda_shifted(size_t bytes, const void *from, size_t shift) {
  char *memory = NULL, *whole = malloc(shift + bytes + 1);
  memset(whole, 0xff, shift + bytes + 1);
  if (from) memcpy(whole + shift, from, bytes);
  CHECK_OK(hone_cuda_put(whole, shift + bytes + 1, (void **)&memory));
  free(whole);
  return memory + shift;
}
static void *cuda_buffer(size_t bytes, const void *from) {
  return cuda_shifted(bytes, from, 0);
}

/* Runs the step once; the outputs end in `out`, on the host. */
static hone_status *cuda_run_step(body_run *r, const hone_step *step, void **out) {
  const hone_device *device = hone_backend_cuda.device;
  void *in[64], *there[16], *pinned[16];
  size_t bytes[16];
  hone_stream *stream;
  hone_device_fault none = {0};
  HONE_TRY(device->open(&stream));
  for (int i = 0; i < r->body->input_count; i++) {
    size_t size = 0;
    hone_shape_bytes(&r->in[i].shape, r->in[i].dtype, &size);
    in[i] = cuda_shifted(size, r->in[i].data, cuda_shift_of(r->in[i].dtype));
  }
  for (int i = 0; i < r->body->output_count; i++) {
    hone_shape_bytes(&r->want[i].shape, r->want[i].dtype, &bytes[i]);
    there[i] = cuda_shifted(bytes[i], NULL, cuda_shift_of(r->want[i].dtype));
    HONE_TRY(device->take_pinned(bytes[i], &pinned[i]));
  }
  void *fault = cuda_buffer(sizeof none, &none), *scratch = cuda_buffer(step->scratch, NULL);
  hone_device_io io = {in, there, scratch, fault, 70001};
  hone_status *status = device->run(stream, step, &io);
  for (int i = 0; !status && i < r->body->output_count; i++)
    status = device->download(stream, pinned[i], there[i], bytes[i]);
  if (!status) status = device->wait(stream);
  for (int i = 0; i < r->body->input_count; i++)
    device->give((char *)in[i] - cuda_shift_of(r->in[i].dtype));
  for (int i = 0; i < r->body->output_count; i++) {
    device->give((char *)there[i] - cuda_shift_of(r->want[i].dtype));
    out[i] = hone_arena_copy(&r->memory, pinned[i], bytes[i]);
    device->give_pinned(pinned[i]);
  }
  device->give(fault);
  device->give(scratch);
  device->close(stream);
  return status;
}

/* By one candidate; `*ran` is false where it does not take the sizes. */
static hone_status *cuda_run_body(body_run *r, const hone_candidate *candidate, void **out, bool *ran) {
  const hone_datum *known[64] = {0};
  hone_prepared prepared;
  hone_step step;
  for (int i = 0; i < r->body->input_count; i++) known[i] = r->known[r->body->inputs[i]->id];
  hone_group_view view = {r->body, r->types, known, 1};
  hone_tuning tuning = {.view = &view};
  hone_status *status = hone_backend_cuda.prepare(r->body, candidate->name, candidate->variant, NULL, 0,
                                                  &tuning, &r->memory, &prepared);
  *ran = hone_status_code(status) != HONE_NOT_FOUND;
  if (!*ran) hone_status_free(status);
  if (status) return *ran ? status : NULL;
  status = hone_backend_cuda.plan(&prepared, &view, &r->memory, &step);
  *ran = hone_status_code(status) != HONE_UNSUPPORTED;
  if (!*ran) {
    hone_status_free(status);
    status = NULL;
  } else if (!status) {
    status = cuda_run_step(r, &step, out);
  }
  hone_backend_cuda.release(&prepared);
  return status;
}

static int cuda_candidates_run; /* beside the first of each body */

/* Up to two variants of every kernel that the body is offered. */
static hone_status *cuda_check_candidates(body_run *r, bool *good) {
  hone_candidate all[192];
  size_t count = hone_backend_cuda.candidates(r->body, all, 192);
  int of_kernel = 0;
  if (count == 0) return hone_error(HONE_NOT_FOUND, "no kernel takes the body");
  for (size_t c = 0; c < count && c < 192; c++) {
    void *out[16];
    bool ran;
    if (c == 0 || strcmp(all[c].name, all[c - 1].name) != 0) of_kernel = 0;
    if (of_kernel == 2) continue;
    HONE_TRY(cuda_run_body(r, &all[c], out, &ran));
    of_kernel += ran;
    cuda_candidates_run += ran && c > 0;
    if (c == 0 && !ran) return hone_error(HONE_UNSUPPORTED, "the first candidate does not run");
    for (int o = 0; ran && o < r->body->output_count; o++)
      if (!body_same(&r->want[o], out[o], r->tolerance)) {
        fprintf(stderr, "candidate %s %d\n", all[c].name, all[c].variant);
        *good = false;
      }
  }
  return NULL;
}

/* Checks one body against its reference, by all candidates or by one; whether that takes it. */
static bool check_cuda_candidate(const char *text, double tolerance, const hone_candidate *only) {
  body_run r = {.text = text, .tolerance = tolerance};
  void *out[16];
  bool good = true, ran = true;
  hone_status *status = hone_graph_parse(text, strlen(text), hone_op_find, body_weights, &r.body);
  body_any_byte = strstr(text, "_integer(") || strstr(text, "byte_") || strstr(text, "pool(");
  if (!status && !body_make_inputs(&r)) status = hone_error(HONE_INTERNAL, "a size is missing");
  if (!status) status = hone_interpret(r.body, r.lent, r.want, &r.memory);
  if (!status) status = hone_infer_body(r.body, r.types, r.known, &r.memory);
  if (!status) status = only ? cuda_run_body(&r, only, out, &ran) : cuda_check_candidates(&r, &good);
  for (int o = 0; !status && only && ran && o < r.body->output_count; o++)
    good = good && body_same(&r.want[o], out[o], tolerance);
  if (status || !good) {
    fprintf(stderr, "%s %d: %s\n%s\n", only ? only->name : "all", only ? only->variant : 0,
            hone_status_message(status), text);
    check_failed++;
  }
  hone_status_free(status);
  hone_graph_free(r.body);
  hone_arena_free(&r.memory);
  return ran;
}

static inline void check_cuda_body(const char *text, double tolerance) {
  check_cuda_candidate(text, tolerance, NULL);
}

/* f32, then f16 from byte 80000 on, then bf16 from 112768 on. */
#define WIDE_WINDOWS 166464 /* 3 x 3 filters of 136 channels by 136, in f16 behind all others */
static float cuda_weights[20000 + 8192 + 8192 + WIDE_WINDOWS / 2];
static void make_cuda_weights(void) {
  const hone_dtype types[] = {HONE_F16, HONE_BF16};
  body_fill(HONE_F32, cuda_weights, 20000, 5);
  for (size_t i = 0; i < 20000; i++) cuda_weights[i] *= 0.25f;
  for (size_t t = 0; t < 2; t++)
    for (size_t i = 0; i < 16384; i++)
      hone_store_real(types[t], cuda_weights + 20000 + 8192 * t, i, cuda_weights[i]);
  for (size_t i = 0; i < WIDE_WINDOWS; i++)
    hone_store_real(HONE_F16, cuda_weights + 36384, i, 0.25 * cuda_weights[i % 19997]);
  body_weights = (hone_bytes){cuda_weights, sizeof cuda_weights};
}

#endif
