/* Copies between the host and the device, around a run. Room: engine. */
#include "engine/crossings.h"

#include <string.h>

#include "base/pool.h"

/* From this size on a copy on the host takes longer than asking for one more on the device. */
#define CHUNKED_FROM ((size_t)1 << 20)
#define CHUNK        ((size_t)4 << 20)

typedef enum way {
  NOT,      /* kernels use it where the caller has it */
  NEAR,     /* a kernel uses it in the frame's pinned memory */
  RECORDED, /* by way of the frame's pinned memory, as a part of the recording */
  STRAIGHT, /* between the device and pinned memory of the caller's */
  CHUNKED   /* by way of pinned memory, on all threads, while the chunk before is under way */
} way;

typedef struct crossing {
  way way;
  bool up;
  size_t bytes;
  unsigned char *host, *pinned, *there;
} crossing;

size_t hone_root_bytes(const hone_plan *plan, uint32_t id) {
  const hone_type *type = &plan->values[id].type;
  size_t bytes = 0;
  (void)hone_shape_bytes(&type->shape, type->dtype, &bytes);
  return bytes;
}

static const hone_caller *caller_of(const hone_frame *frame, uint32_t id) {
  static const hone_caller nobody;
  return frame->callers.any ? &frame->callers.roots[id] : &nobody;
}

/* Who watches a run asks for values on the device. */
static bool is_near(const hone_frame *frame, uint32_t id) {
  const hone_caller *caller = caller_of(frame, id);
  return frame->plan->values[id].pinned_offset && !caller->device && !caller->pinned &&
         !frame->run->watch.call;
}

unsigned char *hone_root_on_device(const hone_frame *frame, uint32_t id) {
  const hone_planned *planned = &frame->plan->values[id];
  void *caller = caller_of(frame, id)->device;
  if (caller) return caller;
  return is_near(frame, id) ? frame->device.pinned + planned->pinned_offset
                            : frame->device.memory + planned->device_offset;
}

static way way_of(const hone_frame *frame, uint32_t id, size_t bytes) {
  const hone_caller *caller = caller_of(frame, id);
  if (bytes == 0 || caller->device) return NOT;
  if (is_near(frame, id)) return NEAR;
  return caller->pinned ? STRAIGHT : bytes < CHUNKED_FROM ? RECORDED : CHUNKED;
}

/* Walks the crossings of a run: those that go up, then those that come down. */
typedef struct walk {
  size_t index, at; /* in pinned memory, where the fault comes first */
} walk;
#define WALK_BEGIN ((walk){0, hone_align_up(sizeof(hone_device_fault), 64)})

static bool next(const hone_frame *frame, const hone_device_run *run, walk *w, crossing *out) {
  if (w->index == run->up_count + run->down_count) return false;
  bool up = w->index < run->up_count;
  uint32_t id = up ? run->up[w->index] : run->down[w->index - run->up_count];
  size_t bytes = hone_root_bytes(frame->plan, id);
  *out = (crossing){.way = way_of(frame, id, bytes),
                    .up = up,
                    .bytes = bytes,
                    .host = frame->data[id].data,
                    .pinned = frame->device.pinned + w->at,
                    .there = hone_root_on_device(frame, id)};
  w->at += hone_align_up(bytes, 64);
  w->index++;
  return true;
}

uint64_t hone_crossings_ways(const hone_frame *frame, const hone_device_run *run) {
  uint64_t ways = 0;
  crossing c;
  for (walk w = WALK_BEGIN; next(frame, run, &w, &c);) ways = ways * 31 + (uint64_t)c.way + 1;
  return ways;
}

bool hone_crossings_wait(const hone_frame *frame, const hone_device_run *run) {
  crossing c;
  for (walk w = WALK_BEGIN; next(frame, run, &w, &c);)
    if (c.up && (c.way == NEAR || c.way == RECORDED || c.way == CHUNKED)) return true;
  return false;
}

bool hone_crossings_end_there(const hone_frame *frame, const hone_device_run *run) {
  crossing c;
  for (walk w = WALK_BEGIN; next(frame, run, &w, &c);)
    if (!c.up && (c.way == NEAR || c.way == RECORDED || c.way == CHUNKED)) return false;
  return true;
}

/* ---- Copies on the host --------------------------------------------------------------------- */

typedef struct copying {
  unsigned char *to;
  const unsigned char *from;
  size_t bytes;
} copying;

static void copy_part(void *argument, int part, int parts) {
  const copying *c = argument;
  size_t begin, end;
  hone_split(c->bytes, 4096, part, parts, &begin, &end);
  memcpy(c->to + begin, c->from + begin, end - begin);
}

static void copy_with(hone_team *team, int parts, unsigned char *to, const unsigned char *from,
                      size_t bytes) {
  copying c = {to, from, bytes};
  hone_team_run(team, parts, copy_part, &c);
}

static int parts_of(const hone_frame *frame) {
  return frame->run->threads < HONE_MOST_PARTS ? frame->run->threads : HONE_MOST_PARTS;
}

/* A chunk is under way to the device while the next is copied. */
static hone_status *send_chunks(hone_frame *frame, const crossing *c, hone_stream *stream) {
  hone_status *status = NULL;
  hone_team team;
  hone_team_open(&team, frame->run->threads);
  for (size_t at = 0; at < c->bytes && !status; at += CHUNK) {
    size_t size = c->bytes - at < CHUNK ? c->bytes - at : CHUNK;
    copy_with(&team, parts_of(frame), c->pinned + at, c->host + at, size);
    status = frame->device.device->upload(stream, c->there + at, c->pinned + at, size);
  }
  hone_team_close(&team);
  return status;
}

static void take_chunks(const hone_frame *frame, const crossing *c) {
  hone_team team;
  hone_team_open(&team, frame->run->threads);
  copy_with(&team, parts_of(frame), c->host, c->pinned, c->bytes);
  hone_team_close(&team);
}

/* ---- Around a run --------------------------------------------------------------------------- */

hone_status *hone_crossings_before(hone_frame *frame, const hone_device_run *run,
                                   hone_stream *stream) {
  crossing c;
  for (walk w = WALK_BEGIN; next(frame, run, &w, &c);) {
    if (!c.up) continue;
    if (c.way == NEAR || c.way == RECORDED) memcpy(c.pinned, c.host, c.bytes);
    if (c.way == CHUNKED) HONE_TRY(send_chunks(frame, &c, stream));
    if (c.way == STRAIGHT)
      HONE_TRY(frame->device.device->upload(stream, c.there, c.host, c.bytes));
  }
  return NULL;
}

hone_status *hone_crossings_ask(hone_frame *frame, const hone_device_run *run, hone_stream *stream,
                                bool down) {
  const hone_device *device = frame->device.device;
  crossing c;
  for (walk w = WALK_BEGIN; next(frame, run, &w, &c);) {
    if (c.way != RECORDED || c.up == down) continue;
    if (down) HONE_TRY(device->download(stream, c.pinned, c.there, c.bytes));
    else HONE_TRY(device->upload(stream, c.there, c.pinned, c.bytes));
  }
  return NULL;
}

hone_status *hone_crossings_after(hone_frame *frame, const hone_device_run *run,
                                  hone_stream *stream) {
  const hone_device *device = frame->device.device;
  crossing c;
  for (walk w = WALK_BEGIN; next(frame, run, &w, &c);) {
    if (c.up) continue;
    if (c.way == CHUNKED) HONE_TRY(device->download(stream, c.pinned, c.there, c.bytes));
    if (c.way == STRAIGHT) HONE_TRY(device->download(stream, c.host, c.there, c.bytes));
  }
  return NULL;
}

void hone_crossings_finish(hone_frame *frame, const hone_device_run *run) {
  crossing c;
  for (walk w = WALK_BEGIN; next(frame, run, &w, &c);) {
    if (c.up) continue;
    if (c.way == NEAR || c.way == RECORDED) memcpy(c.host, c.pinned, c.bytes);
    if (c.way == CHUNKED) take_chunks(frame, &c);
  }
}
