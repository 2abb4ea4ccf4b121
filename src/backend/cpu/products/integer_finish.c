/* Programs that stay in registers. Room: backend/cpu/products. */
#include "backend/cpu/products/integer_finish.h"

static const struct {
  hone_integer_step_kind kind, other;
} takes[HONE_SLOTS] = {
    [HONE_SLOT_SCALE] = {HONE_INTEGER_MUL_ROW, HONE_INTEGER_MUL},
    [HONE_SLOT_BIAS] = {HONE_INTEGER_ADD_ROW, HONE_INTEGER_ADD},
    [HONE_SLOT_ROUND] = {HONE_INTEGER_ROUND, HONE_INTEGER_ROUND},
    [HONE_SLOT_CLIP] = {HONE_INTEGER_CLIP, HONE_INTEGER_CLIP},
    [HONE_SLOT_BACK] = {HONE_INTEGER_MUL, HONE_INTEGER_MUL},
    [HONE_SLOT_LIKE] = {HONE_INTEGER_ADD_LIKE, HONE_INTEGER_ADD_LIKE},
    [HONE_SLOT_NEXT] = {HONE_INTEGER_MUL, HONE_INTEGER_DIV},
    [HONE_SLOT_LIMIT] = {HONE_INTEGER_CLIP, HONE_INTEGER_CLIP},
};

void hone_integer_slots(hone_integer_finish *finish) {
  int next = 0;
  for (int i = 0; i < HONE_SLOTS; i++) {
    finish->slot[i] = -1;
    const hone_integer_step *step = &finish->steps[next];
    if (next < finish->count && (step->kind == takes[i].kind || step->kind == takes[i].other))
      finish->slot[i] = (int8_t)next++;
  }
  finish->slotted = next == finish->count;
}
