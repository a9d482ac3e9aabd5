package tilelog

import (
	"fmt"
	"path/filepath"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

func TestEveryProof(t *testing.T) {
	l := openTest(t, filepath.Join(t.TempDir(), "log"))
	grow(t, l, 40)
	heads := map[int64]Checkpoint{}
	for size := range int64(41) {
		head, err := l.HeadAt(size)
		if err != nil || head.Root != rootOf(0, size) {
			t.Fatalf("size %d: got %+v, %v; want root %s", size, head, err, rootOf(0, size))
		}
		heads[size] = head.Checkpoint
	}
	for size := range int64(41) {
		for index := range size {
			proof, err := proveIn(l, index, size)
			if err == nil {
				proof, err = ParseProof(proof.Marshal())
			}
			if err == nil {
				err = proof.Includes(leafOf(index))
			}
			if err != nil {
				t.Fatalf("leaf %d in %d: got %v, want a proof", index, size, err)
			}
			if err := proof.Includes(leafOf(index + 1)); err == nil {
				t.Fatalf("leaf %d in %d: got the proof of leaf %d accepted, want an error", index+1, size, index)
			}
		}
		for old := range size + 1 {
			wantConsistent(t, l, heads[old], size)
		}
	}
}

func wantConsistent(t *testing.T, l *Log, old Checkpoint, size int64) {
	t.Helper()
	proof, err := consistentTo(l, old.Size, size)
	if err == nil {
		proof, err = ParseConsistency(proof.Marshal())
	}
	if err == nil {
		err = proof.Extends(old)
	}
	if err != nil {
		t.Fatalf("%d to %d: got %v, want a proof", old.Size, size, err)
	}
	if old.Size == 0 {
		return
	}
	old.Root[0] ^= 1
	if err := proof.Extends(old); err == nil {
		t.Fatalf("another root of %d to %d: got it accepted, want an error", old.Size, size)
	}
}

func TestProofsRefuseBounds(t *testing.T) {
	l := openTest(t, filepath.Join(t.TempDir(), "log"))
	grow(t, l, 3)
	for _, test := range [][2]int64{{-1, 3}, {3, 3}, {0, 0}, {0, 4}, {0, -1}, {0, 1 << 62}} {
		if proof, err := proveIn(l, test[0], test[1]); err == nil {
			t.Errorf("leaf %d in %d: got %+v, want an error", test[0], test[1], proof)
		}
	}
	for _, test := range [][2]int64{{-1, 3}, {3, 2}, {0, 4}, {1 << 62, 1 << 62}} {
		if proof, err := consistentTo(l, test[0], test[1]); err == nil {
			t.Errorf("%d to %d: got %+v, want an error", test[0], test[1], proof)
		}
	}
}

// RFC 6962's hashes, from the test vectors of Certificate Transparency.
func TestPublishedVectors(t *testing.T) {
	leaves := []string{"", "\x00", "\x10", "\x20\x21", "\x30\x31", "\x40\x41\x42\x43", "\x50\x51\x52\x53\x54\x55\x56\x57", "\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f"}
	roots := []string{
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c", "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	}
	l := openTest(t, filepath.Join(t.TempDir(), "log"))
	for i, leaf := range leaves {
		if _, err := l.Append(t.Context(), func(int64) ([]byte, error) { return []byte(leaf), nil }); err != nil {
			t.Fatal(err)
		}
		root := l.Head().Root
		if got := fmt.Sprintf("%x", root[:]); got != roots[i] {
			t.Errorf("size %d: got root %s, want %s", i+1, got, roots[i])
		}
	}
}

// An interior node is no leaf, though its hash is in the tree.
func TestInteriorNodeIsNoLeaf(t *testing.T) {
	l := openTest(t, filepath.Join(t.TempDir(), "log"))
	grow(t, l, 4)
	left, right := tlog.RecordHash(leafOf(0)), tlog.RecordHash(leafOf(1))
	sound, err := proveIn(l, 0, 4)
	if err != nil {
		t.Fatal(err)
	}
	forged := &Proof{Index: 0, Path: sound.Path[1:], Signed: sound.Signed, Checkpoint: sound.Checkpoint}
	forged.Size = 2 // the path fits a tree of two nodes
	for _, node := range [][]byte{append(left[:], right[:]...), append(append([]byte{1}, left[:]...), right[:]...)} {
		if err := forged.Includes(node); err == nil {
			t.Errorf("node %x: got it accepted as a leaf, want an error", node)
		}
	}
}
