/* The files of kernels/, as text: kernels/NAME.cu is hone_cuda_text_NAME. Room: backend/cuda. */
#ifndef HONE_BACKEND_CUDA_EMBED_H
#define HONE_BACKEND_CUDA_EMBED_H

#define HONE_CUDA_TEXT(name) extern const char hone_cuda_text_##name[];
HONE_CUDA_TEXT(common)
HONE_CUDA_TEXT(attention)
HONE_CUDA_TEXT(attention_hopper)
HONE_CUDA_TEXT(attention_tensor)
HONE_CUDA_TEXT(attention_tiles)
HONE_CUDA_TEXT(boxes)
HONE_CUDA_TEXT(conv_depthwise)
HONE_CUDA_TEXT(conv_direct)
HONE_CUDA_TEXT(conv_stem)
HONE_CUDA_TEXT(conv_transpose)
HONE_CUDA_TEXT(gather)
HONE_CUDA_TEXT(hopper)
HONE_CUDA_TEXT(integer)
HONE_CUDA_TEXT(move)
HONE_CUDA_TEXT(norm)
HONE_CUDA_TEXT(pointwise)
HONE_CUDA_TEXT(pool)
HONE_CUDA_TEXT(product)
HONE_CUDA_TEXT(product_hopper)
HONE_CUDA_TEXT(product_narrow)
HONE_CUDA_TEXT(product_sum)
HONE_CUDA_TEXT(product_tensor)
HONE_CUDA_TEXT(reduce)
HONE_CUDA_TEXT(resize)
HONE_CUDA_TEXT(softmax)
HONE_CUDA_TEXT(tensor)
HONE_CUDA_TEXT(topk)
#undef HONE_CUDA_TEXT

#endif
