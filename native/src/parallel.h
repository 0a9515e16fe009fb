// The CPU stream: a pool of threads that share the indices of one kernel at a time.
//
// A kernel cuts its work into pieces whose number and bounds depend on the sizes alone, never on the number of
// threads; pieces are claimed dynamically. Whatever is reduced over pieces is kept per piece and combined in order by
// the launching thread, so results are the same bits for any number of threads.
#ifndef HAST_PARALLEL_H
#define HAST_PARALLEL_H

#include <cstdint>

namespace hast {

// Starts threads - 1 workers; the launching thread is the remaining one. Answers HAST_OK, HAST_EMEMORY or HAST_ETHREAD.
// `pin` keeps every thread, the caller included, on a processor of its own while the stream is open, if that takes all
// processors of the machine.
int32_t open_stream(void** stream, int32_t threads, bool pin);
void close_stream(void* stream);

using Piece = void (*)(const void* body, int64_t index);

// Runs piece(body, index) for every index in [0, count) and returns when all have finished. Allocates nothing.
// Calls do not nest.
void run_pieces(void* stream, int64_t count, Piece piece, const void* body);

// Runs body(index) for every index in [0, count), claimed dynamically. Returns when all are done.
template <class Body>
void parallel_for(void* stream, int64_t count, const Body& body) {
  run_pieces(
      stream, count, [](const void* b, int64_t index) { (*static_cast<const Body*>(b))(index); }, &body);
}

}  // namespace hast

#endif
