// The rows of one call for one fact table, stored together.
#pragma once

#include "core/fact.hpp"
#include "pg/spi.hpp"

namespace vigil::pg {

struct IngestCounts {
  std::int32_t accepted = 0;
  std::int32_t duplicate = 0;
  std::int32_t rejected = 0;
  std::int32_t quarantined = 0;
};

using Row = std::pmr::vector<Field>;

// Position of a column in a row.
template <typename ColumnEnum>
constexpr std::size_t at(ColumnEnum column) {
  return static_cast<std::size_t>(column);
}

// What the rows must know of their table; `name` is also the kind of fact in quarantine.
struct FactTable {
  const char* name;
  std::span<const Column> columns;
  std::size_t module;
  std::size_t created_at;
  std::size_t external_id;
};

FactTable event_table();
FactTable error_table();

class FactRows {
 public:
  FactRows(FactTable table, std::pmr::memory_resource* resource)
      : table_(table), resource_(resource), rows_(resource) {}

  Row new_row() const { return Row(table_.columns.size(), Field{}, resource_); }
  void add(Row&& row) { rows_.push_back(std::move(row)); }
  const std::pmr::vector<Row>& rows() const { return rows_; }

  // Leaves out what was received before: by client id, in this call or in the last days.
  void drop_known(IngestCounts& counts);

  // Writes the rows, those outside all partitions into quarantine. Needs an SPI connection.
  void store(IngestCounts& counts);

 private:
  using Choice = std::pmr::vector<char>;
  // Of each row the partition that holds its time, or InvalidOid.
  struct Places {
    std::pmr::vector<Oid> partitions;
    bool plain = false;  // the table needs nothing of the executor
  };

  void sort();
  Places find_partitions() const;
  bool ensure_partitions(const Places& places) const;
  bool insert_plainly(const Places& places, Oid partition) const;
  std::int32_t write(const Choice& choice, char wanted, Statement& statement) const;
  void mark(const Places& places) const;

  FactTable table_;
  std::pmr::memory_resource* resource_;
  std::pmr::vector<Row> rows_;
};

}  // namespace vigil::pg
