/* Layers that a device may run faster as one group than each in its own. Room: engine.
 *
 * What is faster only a clock tells, and what single layers take is known of the groups that they are
 * by themselves, with all the choice that they have there. So the engine is built with every layer by
 * itself, then with every block of layers as one group, and of each block the faster stays. Where both
 * have some, the engine is built once more, of what the two chose. A block's group runs at any sizes as
 * its layers do. */
#include <math.h>
#include <string.h>

#include "engine/builder.h"

/* ---- Times ------------------------------------------------------------------------------------ */

typedef struct finding {
  const hone_node *group;
  hone_unit *unit;
} finding;

static hone_status *compare_unit(void *argument, hone_unit *unit) {
  finding *f = argument;
  if (unit->node == f->group) f->unit = unit;
  return NULL;
}

/* What a group adds to a run by the times between marks, of the kernel that these speak for: INFINITY
 * where it has none. Whole runs are of either engine; they tell nothing of one block. */
typedef struct timed {
  double time;
  bool one; /* kernel; else each layer's first row */
} timed;

static timed time_of(const hone_builder *b, const hone_node *group) {
  finding f = {.group = group};
  hone_status *status = hone_visit_units(b->engine->program, compare_unit, &f);
  hone_status_free(status);
  if (!f.unit || !f.unit->choice.measured || f.unit->nanoseconds <= 0) return (timed){INFINITY, false};
  return (timed){f.unit->inside,
                 strcmp(f.unit->choice.candidate, f.unit->prepared.backend->name) != 0};
}

static double time_apart(const hone_builder *b, const hone_pass_block *block) {
  double sum = 0;
  for (int i = 0; i < block->count; i++) sum += time_of(b, block->groups[i]).time;
  return sum;
}

/* By block, and of a whole run, in nanoseconds. */
typedef struct measured {
  timed of[HONE_MOST_BLOCKS];
  double run;
} measured;

/* What a block as one group takes less by whole runs than by marks, which part its layers more often
 * than the group and have none of them begin early: on average, as whole runs are of all blocks, also
 * of those whose layers still run one by one. */
static double beyond_marks(const measured *apart, const measured *together, int count) {
  double gained = 0;
  int known = 0;
  if (apart->run < 0 || together->run < 0) return 0;
  for (int i = 0; i < count; i++) {
    if (!isfinite(apart->of[i].time) || !isfinite(together->of[i].time)) continue;
    gained += apart->of[i].time - together->of[i].time;
    known++;
  }
  return known ? (apart->run - together->run - gained) / known : 0;
}

#define GAIN 0.97 /* as among candidates: less is noise */

/* Which of the blocks are faster as one group; how many. */
static int choose_joined(const measured *apart, const measured *together, hone_pass_blocks *blocks) {
  double beyond = beyond_marks(apart, together, blocks->count);
  int count = 0;
  for (int i = 0; i < blocks->count; i++) {
    double one = apart->of[i].time, time = together->of[i].time - beyond;
    blocks->at[i].joined = together->of[i].one && isfinite(one) && time < GAIN * one;
    count += blocks->at[i].joined;
  }
  return count;
}

/* ---- Engines ---------------------------------------------------------------------------------- */

/* Another engine in b->engine; where that fails the one before. Sizes that a trial run told were
 * those of the other. */
static hone_status *build_again(hone_builder *b, const hone_model *model,
                                const hone_backend *device, hone_pass_blocks *blocks) {
  hone_engine *before = b->engine;
  hone_map_free(&b->later);
  b->later = (hone_map){0};
  b->done = b->total = 0;
  hone_status *status = hone_build_engine(b, model, device, blocks);
  if (status) b->engine = before;
  return status;
}

/* `other` is let go; what it measured counts for the one that stays. */
static void keep(hone_builder *b, hone_engine *kept, hone_engine *other) {
  kept->measured += other->measured;
  b->engine = kept;
  hone_engine_free(other);
}

/* The joined blocks as `together` has them, all else as `apart` has it. */
static hone_status *mix_choices(const hone_engine *apart, hone_engine *together,
                                const hone_pass_blocks *joined, const hone_pass_blocks *blocks,
                                hone_choices *out) {
  HONE_TRY(hone_choices_read(apart, out));
  out->by_result = true;
  for (int i = 0; i < blocks->count; i++) {
    finding f = {.group = hone_pass_block_end(&joined->at[i])};
    if (!blocks->at[i].joined) continue;
    HONE_TRY(hone_visit_units(together->program, compare_unit, &f));
    HONE_TRY(hone_choices_take(out, f.unit));
  }
  return NULL;
}

/* A third engine, which measures nothing, in place of both. */
static hone_status *build_mixed(hone_builder *b, const hone_model *model, const hone_backend *device,
                                hone_engine *apart, const hone_pass_blocks *joined,
                                hone_pass_blocks *blocks) {
  hone_choices choices = {.missed = 0};
  hone_engine *together = b->engine;
  hone_status *status = mix_choices(apart, together, joined, blocks, &choices);
  blocks->count = 0;
  b->like = &choices;
  if (!status) status = build_again(b, model, device, blocks);
  b->like = NULL;
  hone_choices_free(&choices);
  if (status) {
    hone_engine_free(apart);
    return status;
  }
  keep(b, b->engine, together);
  keep(b, b->engine, apart);
  return NULL;
}

/* b->engine has all layers by themselves. */
static hone_status *try_together(hone_builder *b, const hone_model *model, const hone_backend *device,
                                 hone_pass_blocks *blocks) {
  measured apart = {.run = b->run}, together;
  hone_pass_blocks joined = {.count = 0};
  for (int i = 0; i < blocks->count; i++) apart.of[i].time = time_apart(b, &blocks->at[i]);
  for (int i = 0; i < HONE_MOST_BLOCKS; i++) joined.at[i].joined = true;
  hone_engine *before = b->engine;
  HONE_TRY(build_again(b, model, device, &joined));
  together.run = b->run;
  for (int i = 0; i < joined.count; i++)
    together.of[i] = time_of(b, hone_pass_block_end(&joined.at[i]));
  int count = joined.count == blocks->count ? choose_joined(&apart, &together, blocks) : 0;
  if (count == blocks->count) keep(b, b->engine, before);
  else if (count == 0) keep(b, before, b->engine);
  else return build_mixed(b, model, device, before, &joined, blocks);
  return NULL;
}

/* ---- Like another engine ---------------------------------------------------------------------- */

static int count_nodes(const hone_graph *graph) {
  int count = 0;
  for (const hone_node *node = graph->first; node; node = node->next) count++;
  return count;
}

/* Blocks are one group where they are in the engine whose choices are taken. */
static hone_status *find_joined(hone_builder *b, const hone_model *model, const hone_backend *device,
                                hone_pass_blocks *blocks) {
  hone_pass_blocks together = {.count = 0};
  hone_pass_log log = {.count = 0};
  hone_graph *graph;
  for (int i = 0; i < HONE_MOST_BLOCKS; i++) together.at[i].joined = true;
  HONE_TRY(hone_build_graph(b, model, device, &log, &together, &graph));
  for (int i = 0; i < together.count; i++) {
    const hone_node *group = hone_pass_block_end(&together.at[i]);
    const hone_unit *like = hone_choices_of_result(b->like, group);
    blocks->at[i].joined = like && count_nodes(like->body) == count_nodes(group->regions[0]);
  }
  hone_graph_free(graph);
  return NULL;
}

hone_status *hone_build_in_blocks(hone_builder *b, const hone_model *model,
                                  const hone_backend *device) {
  hone_pass_blocks blocks = {.count = 0};
  bool may_join = device && device->joins;
  if (may_join && b->like) HONE_TRY(find_joined(b, model, device, &blocks));
  HONE_TRY(hone_build_engine(b, model, device, &blocks));
  if (!may_join || b->like || blocks.count == 0 || b->stopped) return NULL;
  if (!b->measure && b->cache.times.count == 0) return NULL;
  return try_together(b, model, device, &blocks);
}
