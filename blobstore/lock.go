package blobstore

import (
	"context"
	"sync"
)

// locks holds one lock per digest, for as long as somebody holds or awaits it.
// Writers of a blob, its first hashing and its collection exclude each other;
// those of different blobs never wait for one another.
type locks struct {
	mu   sync.Mutex
	held map[Ref]*lock
}

type lock struct {
	turn  chan struct{} // holds a token while the lock is taken
	users int           // holder and waiters, guarded by locks.mu
}

// take waits for the lock of ref or the end of ctx, and gives the function
// that lets go of it.
func (l *locks) take(ctx context.Context, ref Ref) (release func(), err error) {
	one := l.join(ref)
	select {
	case one.turn <- struct{}{}:
		return func() { <-one.turn; l.leave(ref, one) }, nil
	case <-ctx.Done():
		l.leave(ref, one)
		return nil, ctx.Err()
	}
}

func (l *locks) join(ref Ref) *lock {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.held[ref]
	if one == nil {
		if l.held == nil {
			l.held = make(map[Ref]*lock)
		}
		one = &lock{turn: make(chan struct{}, 1)}
		l.held[ref] = one
	}
	one.users++
	return one
}

func (l *locks) leave(ref Ref, one *lock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if one.users--; one.users == 0 {
		delete(l.held, ref)
	}
}
