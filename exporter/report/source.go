package report

import (
	"context"
	"iter"
)

// Order is the order in which a [Source] hands out activities.
type Order uint8

// The orders of activities.
const (
	BySequence     Order = iota // as they were accepted
	BySequenceDesc              // newest first, as feeds show them
	ByTime                      // by (occurred_at, sequence)
)

// Scan asks a [Source] for activities.
type Scan struct {
	Match  Match
	Fields FieldSet // the text fields to fill in; the integer columns always are
	Order  Order
}

// Match selects activities. The zero value selects all of them.
type Match struct {
	From, To *Instant          // half-open [From, To); nil leaves a side open
	Equal    [NumFields]string // only activities with these values; "" for any
	Usage    bool              // only actions that begin with UsagePrefix
	Below    int64             // only lower sequences; 0 for all
	Above    int64             // only higher sequences; 0 for all
	Status   int64             // only this status code; 0 for all
}

// Source is one consistent state of the reporting data: what it hands out
// never changes while it is open, whatever is written meanwhile.
type Source interface {
	// Sequence is the highest sequence in this state, 0 for none.
	Sequence() int64
	// Activities streams what the scan selects. A batch stays valid and
	// unchanged until the source is closed.
	Activities(context.Context, Scan) iter.Seq2[*Facts, error]
	// Record gets one record, or an error that is fs.ErrNotExist.
	Record(Object, string) (Record, error)
	// Records streams the records of an object in the order of their ids. It may
	// leave out those that have other ids than the match has [Match.Asked] for.
	// A record's texts may lie in one piece: who keeps one of them for long
	// copies it.
	Records(context.Context, Object, Match) iter.Seq2[Record, error]
}
