// SQL from C++: a connection that ends with its scope, statements that are planned once per
// backend, and arrays put together and taken apart.
#pragma once

#include "pg/boundary.hpp"

namespace vigil::pg {

// SPI for the lifetime of the object.
class SpiConnection {
 public:
  SpiConnection() {
    call([] { SPI_connect(); });
  }
  ~SpiConnection() { SPI_finish(); }
  SpiConnection(const SpiConnection&) = delete;
  SpiConnection& operator=(const SpiConnection&) = delete;
};

// One statement with its plan, which lives as long as the backend. A constant-initialised static.
struct Statement {
  const char* sql = nullptr;
  // Planned once for any parameters; otherwise PostgreSQL may plan it again for each array.
  bool generic = false;
  SPIPlanPtr plan = nullptr;

  // Runs it; parameters that are null have nulls[i] = 'n'. Returns the number of rows.
  std::uint64_t run(std::span<const Oid> types, std::span<Datum> values,
                    const char* nulls = nullptr, bool read_only = false);

  // Runs it with the snapshot of the caller and sends its rows to the receiver, one by one.
  void send(std::span<const Oid> types, std::span<const Datum> values, DestReceiver* receiver);

 private:
  // Plans it unless it is planned; raises.
  SPIPlanPtr prepared(std::span<const Oid> types);
};

// An array parameter built one element after the other.
class ArrayBuilder {
 public:
  explicit ArrayBuilder(Oid element) : element_(element), resource_(CurrentMemoryContext) {}

  void add(Datum value) {
    values_.push_back(value);
    nulls_.push_back(false);
  }
  void add_null() {
    values_.push_back(0);
    nulls_.push_back(true);
  }
  void add_text(std::string_view value) { add(text_datum(value)); }
  void add_text(const std::optional<std::string_view>& value) {
    value ? add_text(*value) : add_null();
  }

  std::size_t size() const { return values_.size(); }
  Datum build();

 private:
  Oid element_;
  ContextResource resource_;
  std::pmr::vector<Datum> values_{&resource_};
  std::pmr::vector<char> nulls_{&resource_};
};

// The elements of an array.
struct Elements {
  Datum* values = nullptr;
  bool* nulls = nullptr;
  int count = 0;
};
Elements elements_of(Datum array);

// The array type of an element type.
Oid array_of(Oid element);

}  // namespace vigil::pg
