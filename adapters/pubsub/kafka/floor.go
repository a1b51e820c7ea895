package kafka

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"leat/handlers/delivery"
)

// Floors returns a position for each partition of the topic, whoever owns it: that of the first message which is not below the commit
// of the group, or of the first that this process has in hand, if that is lower. A partition without a commit has the
// zero position. A topic that does not exist has no partitions; of one that was deleted, and perhaps created anew, there is only what is in
// hand.
func (g *group) Floors(ctx context.Context, topic string) (map[string]delivery.Position, error) {
	life, committed, err := g.committed(ctx, topic)
	if err != nil {
		return nil, failure(err, "read the ack floor of %q", topic)
	}
	floors := make(map[string]delivery.Position, len(committed))
	for number, offset := range committed {
		position := delivery.Position{}
		if offset >= 0 { // the next to be read, so that its position is one more
			position.Major = uint64(offset) + 1
		}
		floors[g.sourceName(topic, life, number)] = position
	}
	// After the broker: what was committed with an ack has left the windows by now, and no other has.
	for name, lowest := range g.subscriber.Lowest(topic) {
		if floor, ok := floors[name]; !ok || lowest.Less(floor) {
			floors[name] = lowest
		}
	}
	return floors, nil
}

// committed returns which incarnation the topic is, and the committed offset of each of its partitions, unknown where there is none.
func (g *group) committed(ctx context.Context, topic string) (incarnation, map[int32]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, g.backend.config.Timeout)
	defer cancel()
	life, partitions, err := g.backend.describe(ctx, topic)
	if missing(err) {
		return "", nil, nil
	}
	if err != nil {
		return "", nil, err
	}
	answers, err := g.backend.admin.FetchOffsets(ctx, g.options.Group)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return "", nil, err
	}
	committed := make(map[int32]int64, len(partitions))
	for _, number := range partitions {
		committed[number] = unknown
		if answer, ok := answers.Lookup(topic, number); ok {
			if answer.Err != nil {
				return "", nil, answer.Err
			}
			if !life.strays(answer.Metadata) {
				committed[number] = answer.At
			}
		}
	}
	return life, committed, nil
}

func missing(err error) bool {
	return errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, kerr.UnknownTopicID)
}

// offsets returns the offset of each partition of the topic that list tells.
func (g *group) offsets(ctx context.Context, topic string, list func(context.Context, ...string) (kadm.ListedOffsets, error)) (map[int32]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, g.backend.config.Timeout)
	defer cancel()
	listed, err := list(ctx, topic)
	if err == nil {
		err = listed.Error()
	}
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	offsets := make(map[int32]int64, len(listed[topic]))
	for number, each := range listed[topic] {
		offsets[number] = each.Offset
	}
	return offsets, nil
}
