/* Constants in the GPU's memory, one copy for all who read the same bytes. Room: backend/cuda. */
#ifndef HONE_BACKEND_CUDA_PACKS_H
#define HONE_BACKEND_CUDA_PACKS_H

#include "backend/cuda/stage.h"

/* The copy that all who ask for these bytes share, until each has given it back; the bytes stay until
 * then. */
HONE_MUST_USE hone_status *hone_cuda_share(const void *bytes, size_t size, void **out);
/* The same of a node's constant in another order. NOT_FOUND where the body's pack does not have it. */
HONE_MUST_USE hone_status *hone_cuda_share_arranged(const hone_cuda_order *order,
                                                    const hone_cuda_body *body,
                                                    const hone_node *node, void **out);
void hone_cuda_unshare(void *there); /* NULL allowed */

/* `settle` and `drop` of rows that have an order: `own` is the address of the constant in it. */
HONE_MUST_USE hone_status *hone_cuda_settle_arranged(hone_cuda_stage *stage,
                                                     const hone_cuda_body *body,
                                                     const hone_group_view *view, hone_bytes saved,
                                                     hone_text *state);
void hone_cuda_drop_arranged(void *own);

#endif
