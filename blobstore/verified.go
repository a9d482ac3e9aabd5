package blobstore

import (
	"io/fs"
	"os"
	"sync"
)

// maxVerified bounds the memory of what was hashed, at some 350 bytes each.
// Forgetting costs a hash and nothing else.
const maxVerified = 1 << 14

// verified remembers which files had the right hash, by the state of the file.
type verified struct {
	mu    sync.Mutex
	files map[Ref]fs.FileInfo
}

func (v *verified) has(ref Ref, now fs.FileInfo) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	then, ok := v.files[ref]
	return ok && unchanged(then, now)
}

func (v *verified) add(ref Ref, info fs.FileInfo) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.files == nil {
		v.files = make(map[Ref]fs.FileInfo)
	}
	for old := range v.files { // any one: the map's order is as good as chance
		if len(v.files) < maxVerified {
			break
		}
		delete(v.files, old)
	}
	v.files[ref] = info
}

func (v *verified) forget(ref Ref) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.files, ref)
}

func unchanged(then, now fs.FileInfo) bool {
	return os.SameFile(then, now) && then.Size() == now.Size() && then.ModTime().Equal(now.ModTime())
}
