/* Status codes and identity of a hast library. Part of the C ABI; include <hast/hast.h>. */
#ifndef HAST_STATUS_H
#define HAST_STATUS_H

#include <stdint.h>

#if defined(__cplusplus)
#define HAST_NOEXCEPT noexcept
#define HAST_API extern "C" __attribute__((visibility("default")))
#else
#define HAST_NOEXCEPT
#define HAST_API __attribute__((visibility("default")))
#endif

/* Marks on parameters, for bindings to other languages: */
#define HAST_OPTIONAL /* may be NULL */
#define HAST_RESULT   /* host memory that receives one value */
#define HAST_HOST     /* memory of the host, read before the call returns */
#define HAST_HEAP     /* host memory that is used during the call only, so that a collector may own it */

/* Raised whenever a signature or its meaning changes; the Java binding refuses any other. */
#define HAST_ABI_VERSION 7

/* Every function that returns int32_t returns 0, a positive cudaError_t, or one of these. */
#define HAST_OK 0
#define HAST_EARGUMENT (-1)    /* a null pointer, a size below 1, or an attribute out of its range */
#define HAST_EWORKSPACE (-2)   /* workspace smaller than the family's _workspace_bytes */
#define HAST_EMEMORY (-3)      /* the device has not enough free memory */
#define HAST_EDEVICE (-4)      /* no such device */
#define HAST_EUNSUPPORTED (-5) /* this library does not implement the call, or not at these sizes */
#define HAST_ETHREAD (-6)      /* the operating system refused a worker thread */
#define HAST_ECAPABILITY (-7)  /* the device is older than the kernels: compute capability below 8.0 */

/* HAST_ABI_VERSION of the library. */
HAST_API int32_t hast_abi_version(void) HAST_NOEXCEPT;

/* English text for a status code; a static string, valid for ever, never NULL. */
HAST_API const char* hast_status_text(int32_t status) HAST_NOEXCEPT;

#endif
