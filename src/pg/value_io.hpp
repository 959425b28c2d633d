// Text and binary input and output, the same for every type of ours: the text form is the stored
// bytes in hexadecimal, as bytea shows them.
#pragma once

#include "pg/expanded.hpp"

extern "C" {
#include "libpq/pqformat.h"
}

namespace vigil::pg {

// Reads the value once, so that only bytes which mean something are ever stored.
template <typename T>
Datum checked_datum(std::span<const std::uint8_t> bytes) {
  ContextResource resource(CurrentMemoryContext);
  (void)T::read(bytes, &resource);
  return text_datum({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

template <typename T>
Datum value_in(FunctionCallInfo fcinfo) {
  const Datum bytes = DirectFunctionCall1(byteain, PG_GETARG_DATUM(0));
  return entry([&] { return checked_datum<T>(byte_view(bytes)); });
}

template <typename T>
Datum value_recv(FunctionCallInfo fcinfo) {
  auto* buffer = reinterpret_cast<StringInfo>(PG_GETARG_POINTER(0));
  const int size = buffer->len - buffer->cursor;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(pq_getmsgbytes(buffer, size));
  return entry([&] { return checked_datum<T>({bytes, static_cast<std::size_t>(size)}); });
}

inline Datum flat_bytes(Datum value) { return PointerGetDatum(PG_DETOAST_DATUM(value)); }

inline Datum value_out(FunctionCallInfo fcinfo) {
  return DirectFunctionCall1(byteaout, flat_bytes(PG_GETARG_DATUM(0)));
}

inline Datum value_send(FunctionCallInfo fcinfo) { return flat_bytes(PG_GETARG_DATUM(0)); }

}  // namespace vigil::pg

// The four functions of a type, as SQL names them.
#define VIGIL_VALUE_IO(name, Type)                                                            \
  PG_FUNCTION_INFO_V1(vigil_##name##_in);                                                     \
  Datum vigil_##name##_in(PG_FUNCTION_ARGS) { return vigil::pg::value_in<Type>(fcinfo); }     \
  PG_FUNCTION_INFO_V1(vigil_##name##_out);                                                    \
  Datum vigil_##name##_out(PG_FUNCTION_ARGS) { return vigil::pg::value_out(fcinfo); }         \
  PG_FUNCTION_INFO_V1(vigil_##name##_recv);                                                   \
  Datum vigil_##name##_recv(PG_FUNCTION_ARGS) { return vigil::pg::value_recv<Type>(fcinfo); } \
  PG_FUNCTION_INFO_V1(vigil_##name##_send);                                                   \
  Datum vigil_##name##_send(PG_FUNCTION_ARGS) { return vigil::pg::value_send(fcinfo); }
