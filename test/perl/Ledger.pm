# What one writer has sent, and what must have become of it. A writer is a script of transactions for psql; what the
# script prints tells how each transaction ended, and what the database holds decides those whose end nobody saw.
#
# Lines of the output: "begin T", "done T" (the last statement of T succeeded), "committed T" (so did what came after
# it, a COMMIT or ROLLBACK), "prepared T", "resolved T commit|rollback" (each followed by true if that failed),
# "changed ITEM MARK", "deleted ITEM", "queued ITEM true|false". Items are the client ids of facts.
package Ledger;

use strict;
use warnings;

sub new
{
	my ($class, $writer) = @_;
	return bless {
		writer => $writer,
		sent => {},    # transactions by name: the items they would store
		state => {},    # transactions whose end is known: committed, aborted, prepared
		order => [],    # those that began and are not settled
		facts => {},    # items that must be stored or in quarantine, and how they are marked
		refused => {},    # items that must be in vigil.rejected
		queued => {},    # items given to the queue and not seen on disk yet: 1 = it took them, 0 = nobody knows
		current => undef,
		offset => 0,
	}, $class;
}

# A transaction that a script will try. `stored` and `refused` are its items, `queued` those that do not depend on how
# it ends; `witness` is one that it alone stores; `rolled_back` if it ends so.
sub send
{
	my ($self, $name, %transaction) = @_;
	$self->{sent}{$name} = { stored => [], refused => [], queued => [], changes => [], %transaction };
	return;
}

# Reads what the script has printed since the last time.
sub read_output
{
	my ($self, $file) = @_;
	open my $handle, '<', $file or return;
	seek $handle, $self->{offset}, 0;
	while (my $line = <$handle>)
	{
		last if $line !~ /\n\z/;    # half a line, of somebody who was killed
		$self->{offset} += length $line;
		chomp $line;
		$self->read_line(split / /, $line);
	}
	close $handle;
	return;
}

# A new script begins a new file.
sub new_output
{
	my ($self) = @_;
	$self->{offset} = 0;
	$self->{current} = undef;
	return;
}

sub read_line
{
	my ($self, $word, $name, $value, $failed) = @_;
	if (!defined $word) { }    # what a function without a result prints
	elsif ($word eq 'begin')
	{
		$self->{current} = $name;
		push @{ $self->{order} }, $name;
		$self->{queued}{$_} = 0 for @{ $self->{sent}{$name}{queued} };
	}
	elsif ($word eq 'done') { $self->{sent}{$name}{done} = 1; }
	elsif ($word eq 'committed')
	{
		$self->settle($name, $self->{sent}{$name}{done} && !$self->{sent}{$name}{rolled_back} ? 'committed' : 'aborted');
	}
	elsif ($word eq 'prepared')
	{
		$value eq 'true' ? $self->settle($name, 'aborted') : ($self->{state}{$name} = 'prepared');
	}
	elsif ($word eq 'resolved')
	{
		$self->settle($name, $value eq 'commit' ? 'committed' : 'aborted')
		  if $failed ne 'true' && ($self->{state}{$name} // '') eq 'prepared';
	}
	elsif ($word eq 'changed') { push @{ $self->{sent}{ $self->{current} }{changes} }, [ $name, $value ]; }
	elsif ($word eq 'deleted') { push @{ $self->{sent}{ $self->{current} }{changes} }, [ $name, undef ]; }
	elsif ($word eq 'queued') { $value eq 'true' ? ($self->{queued}{$name} = 1) : delete $self->{queued}{$name}; }
	else { die "$self->{writer} prints: " . join ' ', @_[ 1 .. $#_ ]; }
	return;
}

sub settle
{
	my ($self, $name, $state) = @_;
	my $transaction = $self->{sent}{$name};
	$self->{state}{$name} = $state;
	@{ $self->{order} } = grep { $_ ne $name } @{ $self->{order} };
	return if $state ne 'committed';
	# A repeated item is known already.
	$self->{facts}{$_} //= '' for @{ $transaction->{stored} };
	$self->{refused}{$_} = 1 for @{ $transaction->{refused} };
	for my $change (@{ $transaction->{changes} })
	{
		my ($item, $mark) = @$change;
		defined $mark ? ($self->{facts}{$item} = $mark) : delete $self->{facts}{$item};
	}
	return;
}

# After the script's end: decides what is open, given what the database holds and which transactions are prepared there.
# Without its last statement a transaction cannot have committed.
sub resolve
{
	my ($self, $found, $prepared) = @_;
	my $unknown = 0;
	for my $name (@{ [ @{ $self->{order} } ] })
	{
		my $transaction = $self->{sent}{$name};
		my $item = $transaction->{witness};
		if ($prepared->{$name}) { $self->{state}{$name} = 'prepared'; }
		elsif (!$transaction->{done} || $transaction->{rolled_back} || !defined $item) { $self->settle($name, 'aborted'); }
		else
		{
			$unknown++;
			$self->settle($name, exists $found->{$item} ? 'committed' : 'aborted');
		}
	}
	return $unknown;
}

# Queued items that are on disk are facts as any other. The queue does not survive a crash, nor do its last commits:
# what is not there after one will never be. Returns how many these are.
sub settle_queue
{
	my ($self, $found, $crashed) = @_;
	my $lost = 0;
	for my $item (keys %{ $self->{queued} })
	{
		if (exists $found->{$item}) { $self->{facts}{$item} = ''; }
		elsif ($crashed) { $lost += $self->{queued}{$item}; }
		else { next; }
		delete $self->{queued}{$item};
	}
	return $lost;
}

# Differences between this ledger and what the database holds of this writer: item => [place, mark].
sub differences
{
	my ($self, $found) = @_;
	my @differences;
	for my $item (keys %{ $self->{facts} })
	{
		my $row = $found->{$item};
		if (!$row) { push @differences, "$item is not there"; }
		elsif ($row->[0] eq 'rejected') { push @differences, "$item was rejected"; }
		elsif ($row->[1] ne $self->{facts}{$item}) { push @differences, "$item is marked '$row->[1]', not '$self->{facts}{$item}'"; }
	}
	for my $item (keys %{ $self->{refused} })
	{
		push @differences, "$item is not in vigil.rejected" if ($found->{$item} // ['nowhere'])->[0] ne 'rejected';
	}
	for my $item (keys %$found)
	{
		push @differences, "$item is there and should not be"
		  if !exists $self->{facts}{$item} && !exists $self->{refused}{$item} && !exists $self->{queued}{$item};
	}
	return sort @differences;
}

sub count
{
	my ($self, $state) = @_;
	return scalar grep { $_ eq $state } values %{ $self->{state} };
}

1;
