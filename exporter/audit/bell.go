package audit

import "sync"

// Bell tells those who wait that something has changed. The zero Bell is ready
// for use, and its methods may be called at the same time.
type Bell struct {
	mu   sync.Mutex
	rung chan struct{} // closed at the next ring, nil while nobody waits; guarded by mu
}

// Ring wakes all who wait.
func (b *Bell) Ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung != nil {
		close(b.rung)
		b.rung = nil
	}
}

// Rung gives a channel that is closed at the first ring after the call. Who
// follows a change asks for it, looks at what there is, and waits for it.
func (b *Bell) Rung() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung == nil {
		b.rung = make(chan struct{})
	}
	return b.rung
}
