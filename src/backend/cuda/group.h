/* A prepared group: its body by the first rows, and by the row that was chosen for some sizes.
 * Room: backend/cuda.
 *
 * Every group carries the first, which runs at any sizes and needs the driver alone. The second runs
 * where the sizes are those that it was chosen at. Both read the same pack of constants. */
#ifndef HONE_BACKEND_CUDA_GROUP_H
#define HONE_BACKEND_CUDA_GROUP_H

#include "backend/cuda/plan.h"

typedef struct hone_cuda_group {
  hone_cuda_body *any;
  hone_cuda_body *chosen; /* NULL: none, or it does not run here */
  hone_bytes sizes;       /* of the inputs that `chosen` is for, each one's rank and dimensions */
} hone_cuda_group;

/* The group's bodies, nothing compiled. */
HONE_MUST_USE hone_status *hone_cuda_group_make(const hone_graph *graph, hone_cuda_way way, int sm,
                                                hone_arena *arena, hone_cuda_group **out);
/* The pack that says what the group is tuned for: what was saved, or made for the sizes of a view. Saved
 * tuning that does not run here leaves the group its first rows, and `missing` says why. */
HONE_MUST_USE hone_status *hone_cuda_group_tune(hone_cuda_group *group, const hone_tuning *tuning,
                                                hone_arena *arena, hone_pack *out, char *missing,
                                                size_t room);
/* Gives back what libraries hold for it. NULL allowed. */
void hone_cuda_body_drop(hone_cuda_body *body);
/* A step for these sizes, by whichever body runs them. */
HONE_MUST_USE hone_status *hone_cuda_group_plan(const hone_cuda_group *group,
                                                const hone_group_view *view, hone_arena *arena,
                                                hone_step *out);

#endif
