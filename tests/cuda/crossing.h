/* Nets whose values cross between the GPU and the host. */
#ifndef HONE_TESTS_CROSSING_H
#define HONE_TESTS_CROSSING_H

/* hardmax has no kernel there: the values go to the host and come back. */
static const char crossing_net[] =
    "graph net(x: f32[n, h, w, 3]) -> (y, z) {"
    " w1 = const f32[1, 1, 3, 4] @weights+0"
    " a = relu(x) b = hardmax(a) {axis=1} c = conv(b, w1) d = tanh(c) e = hardmax(d) {axis=1}"
    " y = softmax(e) {axis=3} z = add(d, e) }";
/* Parts that lie inside something larger, made on both sides. */
static const char inside_net[] =
    "graph net(x: f32[n, h, w, 3]) -> (y) {"
    " s = const s64[1] [0] e = const s64[1] [1] t = const s64[1] [0]"
    " a = exp(x) b = hardmax(x) {axis=1} c = concat(a, b, x) {axis=0} d = slice(c, s, e, t)"
    " f = hardmax(d) {axis=1} y = add(f, c) }";

/* Of the places 0 to 3; -4 to -1 count from the end. */
static const char gather_net[] =
    "graph net(x: f32[n, h, w, 3]) -> (y) {"
    " i = cast(x) {to=s64} t = const f32[4, 2] @weights+0 y = gather(t, i) }";

#endif
