/* hast: kernels of zero-shot quantisation. The only contract between the libraries (CPU, CUDA, emulated) and their
 * callers.
 *
 * - Argument order: outputs, in-outs, inputs, workspace and its bytes, sizes (int64_t), attributes, stream.
 * - Pointers are device addresses unless a comment says host. Tensors are dense, float32 unless the name says
 *   otherwise; outputs must not overlap inputs unless a comment allows it.
 * - A function returns HAST_OK or the first error it meets; it checks arguments before it writes anything.
 * - Kernels never print, allocate, synchronise, or throw. workspace may be NULL when its byte count is 0.
 * - Whatever changes from step to step is read from device memory, so a captured launch stays right. */
#ifndef HAST_HAST_H
#define HAST_HAST_H

#include <hast/conv.h>
#include <hast/device.h>
#include <hast/elementwise.h>
#include <hast/layer.h>
#include <hast/loss.h>
#include <hast/norm.h>
#include <hast/optim.h>
#include <hast/quantize.h>
#include <hast/random.h>
#include <hast/status.h>

#endif
