import { useStationWebSocket } from './hooks/useStationWebSocket';

function StationDetail({ stationId }) {
    const { inventory, isConnected } = useStationWebSocket(stationId);

    return (
        <div>
            <h2>Station Inventory</h2>
            {isConnected && <span>🟢 Live</span>}
            {inventory && (
                <div>
                    <p>Available: {inventory.available}</p>
                    <p>Booked: {inventory.booked}</p>
                    <p>Total: {inventory.total}</p>
                </div>
            )}
        </div>
    );
}
