package sql

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	"github.com/jackc/pgx/v5/pgxpool"

	"leat/adapters/pubsub"
	"leat/adapters/pubsub/inflight"
	"leat/handlers/fault"
)

const (
	// maxMessage bounds payload and metadata together. PostgreSQL takes up to 1 GB in a column, at several times that in memory.
	maxMessage = 256 << 20
	// connectionAge is how long a connection is used, so that a change of the server's address is noticed.
	connectionAge = 30 * time.Minute
	// grace is how long a statement may go on after a reader was told to stop: its reply says what it has done.
	grace = 300 * time.Millisecond
	// cutDelay is how long a statement that was given up has to end on the server before its connection is cut.
	cutDelay = 400 * time.Millisecond
	// closeTimeout bounds what is told to the server when the backend closes.
	closeTimeout = time.Second
)

// Backend is a PostgreSQL whose tables are topics.
type Backend struct {
	cfg      Config
	log      *slog.Logger
	pool     *pgxpool.Pool
	notifier *notifier
	listener *listener
	// identifiable says that the cluster's identifier can be read. It does not change.
	identifiable bool

	mu     sync.Mutex
	topics map[string]*topic // known to exist
}

var _ pubsub.Backend = (*Backend)(nil)

// Connect connects to PostgreSQL and checks what the guarantees rest on; it creates nothing yet. An error is of kind Invalid if
// only a person can mend it: a wrong URI, wrong credentials, a database that is not there, a server that is too old or loses
// commits. All others are Unavailable.
func Connect(ctx context.Context, cfg Config, logger *slog.Logger) (*Backend, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	if err := cfg.prepare(); err != nil {
		return nil, err
	}
	poolConfig, err := poolConfig(cfg)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, poolConfig)
	if err != nil {
		return nil, fault.Invalidf("uri", "sql: %w", err)
	}
	b := &Backend{cfg: cfg, log: logger.With("broker", "sql"), pool: pool, topics: make(map[string]*topic)}
	if err := b.check(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	b.notifier = newNotifier(b)
	b.listener = newListener(poolConfig.ConnConfig.Copy(), cfg.Timeout, b.log)
	return b, nil
}

func poolConfig(cfg Config) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(cfg.URI)
	if err != nil {
		return nil, badURI(cfg.URI, err)
	}
	config.MaxConns, config.MinConns = int32(cfg.PoolSize), 0
	config.MaxConnLifetime = connectionAge
	if config.ConnConfig.ConnectTimeout == 0 || config.ConnConfig.ConnectTimeout > cfg.Timeout {
		config.ConnConfig.ConnectTimeout = cfg.Timeout
	}
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = "leat"
	}
	config.ConnConfig.BuildContextWatcherHandler = func(conn *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: conn, DeadlineDelay: cutDelay}
	}
	config.AfterConnect = setUp
	return config, nil
}

// setUp makes the settings of a session that statements rest on, whatever those of the database and the role are: each statement sees
// what was committed before it, and the server notices soon when this process is gone, so that its locks are freed.
func setUp(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `SET default_transaction_isolation = 'read committed';
		SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3`, pgx.QueryExecModeSimpleProtocol)
	return err
}

// Broker implements pubsub.Backend.
func (b *Backend) Broker(options pubsub.Options) (pubsub.Broker, error) {
	if err := checkGroup(options.Group); err != nil {
		return pubsub.Broker{}, err
	}
	if options.Logger == nil {
		options.Logger = b.log
	}
	subscriber, err := inflight.NewSubscriber(inflight.Options{
		Options: options, Backend: "sql", InFlight: b.cfg.InFlight, Nack: b.cfg.Nack,
		MaxDeliveries: b.cfg.MaxDeliveries, Positions: true,
	}, func(name string, s *inflight.Subscription[entry]) (inflight.Source[entry], error) {
		return newSource(b, options, name, s)
	})
	if err != nil {
		return pubsub.Broker{}, err
	}
	progress := progress{backend: b, options: options, subscriber: subscriber}
	return pubsub.Broker{
		Publisher: b.Publisher(), Subscriber: subscriber, Floors: progress, Lag: progress, Capabilities: b.Capabilities(),
	}, nil
}

// Capabilities implements pubsub.Backend.
func (b *Backend) Capabilities() pubsub.Capabilities {
	return pubsub.Capabilities{
		InFlight: b.cfg.InFlight, Positions: true, NackDelay: true, DeliveryCount: true, Order: pubsub.OrderTopic,
		Durable: true, Shared: true, External: true, Lag: true, MaxMessage: maxMessage,
	}
}

// CheckTopic implements pubsub.Backend.
func (*Backend) CheckTopic(topic string) error { return checkTopic(topic) }

// Close tells subscribers of what was published last, and closes all connections. It waits for statements under way.
func (b *Backend) Close() error {
	b.notifier.close()
	b.listener.close()
	b.pool.Close()
	return nil
}

// bounded returns a context for a statement of a reader: it ends after Timeout, or a moment after ctx.
func (b *Backend) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	statement, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.cfg.Timeout)
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-statement.Done():
		}
	})
	return statement, func() { stop(); cancel() }
}
