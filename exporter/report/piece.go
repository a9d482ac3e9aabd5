package report

import "encoding/binary"

// Text is put together in a buffer that is longer than what is written to it,
// a piece at a time: of the few bytes that most values have, writing some too
// many costs less than counting them. Whoever puts text sees to it that there
// is room for its last piece in the buffer, and the same behind the text
// itself.
const piece = 32

// slack is the room that is needed behind the end of what is put.
const slack = 2*piece + 8

// put writes a text, and gives where it ends.
func put(buf []byte, at int, text []byte) int {
	for done := 0; done < len(text); done += piece {
		putPiece((*[piece]byte)(buf[at+done:]), (*[piece]byte)(text[done:done+piece]))
	}
	return at + len(text)
}

// putPiece copies by the word: the assignment of one array to another would be
// a call.
func putPiece(dst, src *[piece]byte) { words(src).put(dst) }

// fourWords are a piece in a processor's registers.
type fourWords struct{ a, b, c, d uint64 }

func words(src *[piece]byte) fourWords {
	return fourWords{
		binary.LittleEndian.Uint64(src[0:]), binary.LittleEndian.Uint64(src[8:]),
		binary.LittleEndian.Uint64(src[16:]), binary.LittleEndian.Uint64(src[24:]),
	}
}

func (w fourWords) put(dst *[piece]byte) {
	binary.LittleEndian.PutUint64(dst[0:], w.a)
	binary.LittleEndian.PutUint64(dst[8:], w.b)
	binary.LittleEndian.PutUint64(dst[16:], w.c)
	binary.LittleEndian.PutUint64(dst[24:], w.d)
}

// putText writes what lies between two places of a text. Most ids are a few
// bytes longer than a word, or as long as a UUID.
func putText(buf []byte, at int, all string, from, to int) int {
	size := to - from
	if from+16 > len(all) || to+8 > len(all) || size > 2*piece {
		return at + copy(buf[at:], all[from:to])
	}
	dst, src := (*[slack]byte)(buf[at:]), all[from:]
	binary.LittleEndian.PutUint64(dst[0:], word(src))
	binary.LittleEndian.PutUint64(dst[8:], word(src[8:]))
	for done := 16; done < size; done += 8 {
		binary.LittleEndian.PutUint64(dst[done:], word(src[done:]))
	}
	return at + size
}

// maxDigits is how many digits [MaxAmount] has.
const maxDigits = 16

// threes holds the numbers below 1000 as three digits, the first one lowest,
// and above them how many of these there are without leading zeros.
var threes = func() (table [1000]uint32) {
	for n := range table {
		i := uint32(n)
		size := uint32(1)
		if n >= 10 {
			size = 2
		}
		if n >= 100 {
			size = 3
		}
		table[n] = '0' + i/100 | ('0'+i/10%10)<<8 | ('0'+i%10)<<16 | size<<24
	}
	return table
}()

// putDigits writes a number in decimal digits.
func putDigits(buf []byte, at int, v uint64) int {
	switch {
	case v < 1e3:
		return putSmall(buf, at, threes[v])
	case v < 1e6:
		at = putSmall(buf, at, threes[v/1e3])
	default:
		at = putDigits(buf, at, v/1e6)
		at = putThree(buf, at, threes[v/1e3%1e3])
	}
	return putThree(buf, at, threes[v%1e3])
}

// putSmall writes what threes has of a number, without leading zeros.
func putSmall(buf []byte, at int, three uint32) int {
	size := three >> 24
	binary.LittleEndian.PutUint32(buf[at:], three>>(24-8*size))
	return at + int(size)
}

// putThree writes it with them.
func putThree(buf []byte, at int, three uint32) int {
	binary.LittleEndian.PutUint32(buf[at:], three)
	return at + 3
}
