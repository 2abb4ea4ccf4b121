/* What libraries compute after a product: bias, residual, activation. Room: backend/cuda. */
#ifndef HONE_BACKEND_CUDA_EPILOGUE_H
#define HONE_BACKEND_CUDA_EPILOGUE_H

#include "backend/cuda/stage.h"

/* A library's number of an activation; 0: it does not know the node. */
typedef int hone_cuda_activation(const hone_node *node);

typedef struct hone_cuda_epilogue {
  const hone_value *bias;     /* a constant by columns; NULL: none */
  const hone_value *residual; /* of the result's shape; NULL: none */
  const hone_node *activated; /* the last node; NULL: no activation */
  int activation;
  bool known;                 /* that is all of the stage's tail */
} hone_cuda_epilogue;

hone_cuda_epilogue hone_cuda_epilogue_of(const hone_cuda_stage *stage, hone_cuda_activation *number);
/* Whether the epilogue may go on with the node. */
bool hone_cuda_epilogue_takes(const hone_cuda_stage *stage, const hone_node *node,
                              hone_cuda_activation *number);
/* The place of the residual's address among the pointers; -1: none. */
int hone_cuda_epilogue_residual(const hone_cuda_stage *stage, const hone_cuda_epilogue *e);

#endif
