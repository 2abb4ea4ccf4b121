/* Slices, splits and concats that take no copy: how many steps a plan has, and that the answers are
 * the reference's, whatever lay in the memory before. */
#include "engines.h"

#include "engine/frame.h"

/* The body makes y, and z where there is one, of x: f32[n, h, w, 3]; `steps` for one picture and
 * for several. */
typedef struct row {
  const char *body;
  int steps[2];
} row;

#define W    "w = const f32[1, 1, 3, 4] @weights+0 v = const f32[3, 3, 3, 4] @weights+1024 "
#define CUTS "i = const s64[1] [0] j = const s64[1] [2] k = const s64[1] [5] a = const s64[1] [1] "
static const row rows[] = {
    /* two convolutions write the two halves of what the third reads */
    {W "u = const f32[1, 1, 4, 2] @weights+512 c = conv(x, w)"
       " d = conv(x, v) {pads=[1, 1, 1, 1]} e = concat(c, d) {axis=0} y = conv(e, u)",
     {3, 3}},
    {W "c = conv(x, w) d = exp(c) e = concat(c, d) {axis=1} y = exp(e)", {3, 4}},
    /* the result itself is given away, and read besides */
    {W "c = conv(x, w) d = exp(c) y = concat(c, d) {axis=0} z = exp(y)", {3, 3}},
    /* pieces that others read before and after, and views of them */
    {W "s = const s64[3] [0, 0, -1] c = conv(x, w) d = exp(c) f = reshape(c, s)"
       " e = concat(d, c) {axis=0} y = tanh(e) z = tanh(f)",
     {4, 4}},
    /* a piece twice, an input, a constant: copies, beside a piece in place */
    {W "c = conv(x, w) e = concat(c, c) {axis=0} y = exp(e)", {3, 3}},
    {"c = exp(x) e = concat(x, c) {axis=0} y = exp(e)", {3, 3}},
    {"t = const f32[2, 16, 1, 3] @weights+0 o = const s64[1] [2] m = const s64[1] [0]"
     " q = const s64[1] [1] c = exp(x) r = reduce(c, o) {kind=max, keep=true}"
     " f = slice(r, m, q, m) e = concat(f, t) {axis=0}"
     " y = exp(e)",
     {4, 4}},
    /* a concat of concats: one memory */
    {W
     "c = conv(x, w) d = exp(c) e = concat(c, d) {axis=0} f = tanh(e) g = concat(e, f, d) {axis=0}"
     " y = exp(g)",
     {5, 5}},
    /* an output of the graph stays where it is given: its piece is copied */
    {W "y = conv(x, w) d = exp(y) e = concat(y, d) {axis=0} z = tanh(e)", {4, 4}},
    /* parts */
    {W CUTS "c = conv(x, w) s = slice(c, j, k, a) y = exp(s)", {2, 3}},
    {W CUTS "c = conv(x, w) s = slice(c, i, a, i) t = slice(s, j, k, a) y = exp(t) z = exp(c)",
     {3, 3}},
    {CUTS "s = slice(x, j, k, a) y = exp(s)", {1, 2}},
    {W "p = const s64[2] [2, 14] c = conv(x, w) s, t = split(c, p) {axis=1} y = exp(s) z = tanh(t)",
     {3, 4}},
    {W "p = const s64[2] [1, 3] c = conv(x, w) s, t = split(c, p) {axis=3} y = exp(s) z = tanh(t)",
     {4, 4}},
    /* steps, and a part that is given away, are copied */
    {W CUTS "c = conv(x, w) s = slice(c, i, k, a, j) y = exp(s)", {3, 3}},
    {W CUTS "c = conv(x, w) y = slice(c, i, j, a) z = exp(y)", {3, 3}},
    /* along the channels: products and convolutions write their rows apart, others are copied */
    {W "c = conv(x, w) d = conv(x, v) {pads=[1, 1, 1, 1]} e = concat(c, d) {axis=3} y = exp(e)",
     {3, 3}},
    /* a decoder: what is scaled up beside what was kept; also where rows grow themselves */
    {W "c = conv(x, w) s = const f32[4] [1, 1, 2, 1] r = resize(c, _, s) {mode=linear} "
       "d = resize(c, _, s) {mode=nearest} e = concat(r, d) {axis=3} y = exp(e)",
     {4, 4}},
    {W "c = conv(x, w) s = const f32[4] [1, 1, 1, 2] r = resize(c, _, s) {mode=linear} "
       "d = resize(c, _, s) {mode=nearest} e = concat(r, d) {axis=3} y = exp(e)",
     {4, 4}},
    {W
     "c = conv(x, w) s = silu(c) d = conv(x, v) {pads=[1, 1, 1, 1]} h = exp(d) e = concat(s, x, h)"
     " {axis=-1} y = exp(e)",
     {4, 4}},
    {W "m = const f32[4, 5] @weights+512 c = conv(x, w) r = conv(x, v) {pads=[1, 1, 1, 1]}"
       " s = add(c, r)"
       " t = tanh(s) d = matmul(c, m) e = concat(d, t) {axis=3} y = exp(e)",
     {4, 4}},
    {W "o = const s64[1] [-1] c = conv(x, w) d = conv(x, w) f = reduce(d, o) {kind=max, keep=true}"
       " e = concat(f, c) {axis=3} y = concat(e, x) {axis=3}",
     {3, 3}},
    {W "c = conv(x, w) d = conv(x, v) {pads=[1, 1, 1, 1]} y = concat(c, d) {axis=3} z = exp(y)",
     {3, 3}},
    /* who else reads them reads rows apart: convolutions, products, pools */
    {W "u = const f32[4, 2] @weights+512 c = conv(x, w) d = conv(x, v) {pads=[1, 1, 1, 1]}"
       " p = pool(c) {window=[3, 3], pads=[1, 1, 1, 1], kind=max} m = matmul(c, u)"
       " e = concat(p, c, m, d) {axis=3} y = exp(e)",
     {5, 5}},
    {W "u = const f32[3, 3, 4, 4] @weights+512 b = const f32[4] @weights+2048 c = conv(x, w)"
       " f = conv(c, u, b) {pads=[1, 1, 1, 1]} g = conv(f, u) {pads=[1, 1, 1, 1]}"
       " e = concat(c, f, g) {axis=3} y = exp(e)",
     {4, 4}},
    {W "u = const f32[3, 3, 4, 4] @weights+512 c = conv(x, w) f = conv(c, u) {pads=[1, 1, 1, 1]}"
       " g = add(f, c) e = concat(c, g) {axis=3} y = exp(e)",
     {4, 4}},
    /* not where somebody else reads them, or one is joined twice */
    {W "c = conv(x, w) e = concat(c, c) {axis=3} y = exp(e)", {3, 3}},
    {W "c = conv(x, w) d = conv(x, v) {pads=[1, 1, 1, 1]} f = tanh(c) e = concat(c, f, d) {axis=3}"
       " y = exp(e)",
     {5, 5}},
    /* parts joined anew */
    {W CUTS "c = conv(x, w) s = slice(c, i, j, a) t = slice(c, j, k, a) e = concat(t, s) {axis=1}"
            " y = exp(e)",
     {3, 5}},
};

static hone_context *context_on(hone_engine *engine) {
  hone_context *context = NULL;
  CHECK_OK(hone_context_new(engine, NULL, &context));
  return context;
}

/* What the memory holds must not matter. */
static void poison(hone_context *context) {
  hone_frame *frame = context->frame;
  memset(frame->arena.data, 0xff, frame->arena.size);
  for (int i = 0; i < frame->program->graph->output_count; i++)
    if (frame->outputs[i].data) memset(frame->outputs[i].data, 0xff, frame->outputs[i].size);
}

static void check_outputs(hone_context *fast, hone_context *plain, int count) {
  for (int i = 0; i < count; i++) {
    hone_tensor got = {.struct_size = sizeof got}, want = got;
    CHECK_OK(hone_get_output(fast, (size_t)i, &got));
    CHECK_OK(hone_get_output(plain, (size_t)i, &want));
    CHECK(engine_error(&got, &want) < bound("model", "fp32"));
  }
}

static void check_row(const row *r) {
  char text[2048];
  int outputs = strstr(r->body, "z = ") ? 2 : 1, failed = check_failed;
  snprintf(text, sizeof text, "graph g(x: f32[n, h, w, 3]) -> (y%s) { %s }",
           outputs > 1 ? ", z" : "", r->body);
  hone_model *model = engine_model(text);
  if (!model) return;
  hone_engine *fast = engine_build(model, NULL, NULL),
              *plain = engine_build(model, "passes", "none");
  hone_context *a = context_on(fast), *b = context_on(plain);
  const int shapes[][3] = {{1, 16, 16}, {3, 16, 16}, {1, 16, 7}, {2, 16, 1}};
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
    picture p = picture_of(shapes[i][0], shapes[i][1], shapes[i][2]);
    engine_run(b, &p);
    engine_run(a, &p);
    check_outputs(a, b, outputs);
    poison(a);
    engine_run(a, &p);
    check_outputs(a, b, outputs);
    int steps = (int)a->frame->plan->step_count, want = r->steps[shapes[i][0] > 1];
    if (steps != want)
      fprintf(stderr, "%d steps, not %d, for %d pictures\n", steps, want, shapes[i][0]);
    CHECK(steps == want);
    free(p.data);
  }
  if (check_failed != failed) fprintf(stderr, "%s\n", text);
  hone_context_free(a);
  hone_context_free(b);
  hone_engine_free(fast);
  hone_engine_free(plain);
  hone_model_free(model);
}

TEST(copies) {
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check_row(&rows[i]);
}

/* Only the run tells the size of what nonzero finds, and so where the concat will be: the
 * convolutions, which a stage before it runs, write their rows side by side. */
TEST(a_concat_of_a_later_stage) {
  static const row r = {W
                        "c = conv(x, w) d = conv(x, v) {pads=[1, 1, 1, 1]} q = nonzero(x)"
                        " z = cast(q) {to=f32} e = concat(c, d) {axis=3} y = exp(e)",
                        {3, 3}};
  check_row(&r);
}

static bool add_up(void *argument, const hone_watched *step) {
  if (!step->reference) return true;
  CHECK(engine_error(&step->value, step->reference) < bound("model", "fp32"));
  ++*(int *)argument;
  return true;
}

/* A watcher sees rows side by side. */
TEST(watched_rows) {
  hone_model *model =
      engine_model("graph g(x: f32[n, h, w, 3]) -> (y) { " W
                   "c = conv(x, w) d = conv(x, v) {pads=[1, 1, 1, 1]} h = softmax(d)"
                   " e = concat(h, c) {axis=3} y = exp(e) }");
  hone_engine *engine = engine_build(model, NULL, NULL);
  hone_context *context = context_on(engine);
  picture p = picture_of(2, 5, 6);
  int steps = 0;
  hone_watch_runs(context, add_up, &steps, true);
  engine_run(context, &p);
  CHECK(steps == 5);
  free(p.data);
  hone_context_free(context);
  hone_engine_free(engine);
  hone_model_free(model);
}

/* An output in the caller's memory is made there piece by piece. */
TEST(pieces_in_the_callers_memory) {
  hone_model *model = engine_model("graph g(x: f32[n, h, w, 3]) -> (y) { " W
                                   "c = conv(x, w) d = exp(c) y = concat(d, c) {axis=0} }");
  hone_engine *engine = engine_build(model, NULL, NULL);
  hone_context *context = context_on(engine);
  picture p = picture_of(1, 4, 4);
  float mine[128 + 16];
  memset(mine, 0xff, sizeof mine);
  hone_tensor bound = {.struct_size = sizeof bound, .data = mine, .size = 128 * sizeof(float)};
  hone_tensor own = engine_run(context, &p);
  float first[128];
  memcpy(first, own.data, sizeof first);
  CHECK_OK(hone_set_output(context, 0, &bound));
  hone_tensor out = engine_run(context, &p);
  CHECK(out.data == mine && memcmp(mine, first, sizeof first) == 0);
  for (int i = 128; i < 144; i++) CHECK(isnan(mine[i]));
  CHECK(context->frame->plan->step_count == 2);
  free(p.data);
  hone_context_free(context);
  hone_engine_free(engine);
  hone_model_free(model);
}

int main(void) {
  RUN(copies);
  RUN(a_concat_of_a_later_stage);
  RUN(watched_rows);
  RUN(pieces_in_the_callers_memory);
  return check_report();
}
