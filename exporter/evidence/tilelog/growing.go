package tilelog

import "golang.org/x/mod/sumdb/tlog"

// growing is a tree with leaves that are not on the disk yet.
type growing struct {
	base  tlog.HashReader
	fresh map[int64]tlog.Hash // by stored index
}

// add puts a leaf at the end.
func (g *growing) add(index int64, leaf []byte) error {
	hashes, err := tlog.StoredHashes(index, leaf, g)
	first := tlog.StoredHashIndex(0, index)
	for i, hash := range hashes {
		g.fresh[first+int64(i)] = hash
	}
	return err
}

// ReadHashes takes from the disk what is not fresh.
func (g *growing) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	var missing []int64
	for i, index := range indexes {
		hash, ok := g.fresh[index]
		if !ok {
			missing = append(missing, index)
		}
		hashes[i] = hash
	}
	if len(missing) == 0 {
		return hashes, nil
	}
	stored, err := g.base.ReadHashes(missing)
	if err != nil {
		return nil, err
	}
	for i, index := range indexes {
		if _, ok := g.fresh[index]; !ok {
			hashes[i], stored = stored[0], stored[1:]
		}
	}
	return hashes, nil
}
